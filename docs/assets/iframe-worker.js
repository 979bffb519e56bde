// Search, for pages that are opened from a folder. Browsers start no worker there, so the search
// runs in a hidden frame in place of one.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      const start = () => {
        const inner = frame.contentWindow;
        inner.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }));
        inner.importScripts = () => {};
        const script = inner.document.createElement("script");
        script.src = String(url);
        script.onload = () => {
          this.inner = inner;
          this.waiting.splice(0).forEach(data => this.postMessage(data));
        };
        inner.document.body.append(script);
      };
      (document.body ? Promise.resolve() : new Promise(ready => addEventListener("DOMContentLoaded", ready)))
        .then(() => { document.body.append(frame); start(); });
    }

    postMessage(data) {
      if (this.inner) this.inner.dispatchEvent(new this.inner.MessageEvent("message", { data }));
      else this.waiting.push(data);
    }

    terminate() {}
  };
}
