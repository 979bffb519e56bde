"""The page of a report: its frame, its sections, and its style sheet.

No script, no font, no address of another machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..html import escape
from ..viz.svg import DARK, FONT, LIGHT, drawing_rules, theme_variables
from . import sections

if TYPE_CHECKING:
    from .parts import Report

__all__ = ["frame", "render", "style_sheet"]


def render(report: Report) -> str:
    """The whole page as a string: `Report.html`."""
    parts = [part for section in sections.SECTIONS if (part := section(report)) is not None]
    body = "\n".join([sections.header(report), sections.contents(parts), "<main>",
                      *[part.html for part in parts], "</main>", sections.footer(report)])
    return frame(report.title, report.lead, body)


_LAYOUT = """
*,*::before,*::after{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--ground);color:var(--fnn-ink);font:16px/1.55 FONT}
main,header,footer,nav{max-width:1060px;margin:0 auto;padding:0 24px}
h1{font-size:clamp(1.7rem,1.2rem + 2.2vw,2.5rem);line-height:1.15;letter-spacing:-.022em;margin:0;
text-wrap:balance}
h2{font-size:1.3rem;line-height:1.25;letter-spacing:-.012em;margin:0}
h3{font-size:1rem;margin:0}
h1,h2,p,li,dd,dt,caption,figcaption,summary{overflow-wrap:anywhere}
p{margin:0}
a{color:var(--fnn-s1)}
code{font:.92em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
:focus-visible{outline:2px solid var(--fnn-s1);outline-offset:2px}
.soft{color:var(--fnn-soft)}

header{padding-top:56px}
.title{display:flex;gap:24px 48px;align-items:center;justify-content:space-between}
.title>.fnn{flex:none;width:300px}
.kicker{font-size:.8rem;font-weight:650;letter-spacing:.08em;text-transform:uppercase;color:var(--fnn-s1);
margin-bottom:10px}
.lead{font-size:1.08rem;color:var(--fnn-soft);max-width:44em;margin-top:14px;text-wrap:pretty}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:1px;margin:32px 0 0;padding:0;
overflow:hidden;background:var(--fnn-line);border:1px solid var(--fnn-line);border-radius:14px}
.facts div{display:flex;flex-direction:column;background:var(--fnn-paper);padding:18px 20px}
.facts dt{order:2;font-size:.86rem;color:var(--fnn-soft);line-height:1.4;margin-top:5px}
.facts dd{order:1;margin:0;font-size:1.95rem;font-weight:680;line-height:1.1;letter-spacing:-.025em;
font-variant-numeric:tabular-nums}
.facts dd small{font-size:.55em;font-weight:600;letter-spacing:0;color:var(--fnn-soft)}
.facts .bad dd{color:var(--fnn-s2)}
.machine{display:flex;flex-wrap:wrap;gap:4px 22px;margin:18px 2px 0;font-size:.86rem}
.machine div{display:flex;gap:6px}
.machine dt{color:var(--fnn-soft)}
.machine dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}

nav{margin-top:26px}
nav ul{display:flex;flex-wrap:wrap;gap:8px;list-style:none;margin:0;padding:0}
nav a{display:block;padding:5px 13px;border:1px solid var(--fnn-line);border-radius:99px;
background:var(--fnn-paper);color:var(--fnn-ink);font-size:.86rem;text-decoration:none}
nav a:hover{border-color:var(--fnn-s1);color:var(--fnn-s1)}

main{padding-top:12px}
section{background:var(--fnn-paper);border:1px solid var(--fnn-line);border-radius:14px;padding:26px 28px 28px;
margin-top:20px;scroll-margin-top:14px}
.see{color:var(--fnn-soft);margin:7px 0 22px;max-width:46em;text-wrap:pretty}
.fnn{display:block;max-width:100%;height:auto}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr));gap:28px 40px;
align-items:start}
.pair>*{min-width:0}
.pair>.fnn{width:100%;max-width:520px}
section>.fnn,.stack figure .fnn{width:100%;max-width:720px}
.key{display:flex;align-items:center;gap:8px;margin-top:8px;font-size:.8rem;color:var(--fnn-soft);
font-variant-numeric:tabular-nums}
.key img{border-radius:2px}
.stack{display:grid;gap:24px}

/* shadows at the edges where there is more to scroll to: covers that move with the content hide
fixed ones */
.scroll{overflow-x:auto;scrollbar-width:thin;background:
linear-gradient(90deg,var(--fnn-paper) 30%,transparent) 0 0/40px 100%,
linear-gradient(270deg,var(--fnn-paper) 30%,transparent) 100% 0/40px 100%,
linear-gradient(90deg,var(--shade),transparent) 0 0/14px 100%,
linear-gradient(270deg,var(--shade),transparent) 100% 0/14px 100%;
background-repeat:no-repeat;background-attachment:local,local,scroll,scroll}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--fnn-soft);font-size:.86rem;padding-bottom:8px}
th,td{padding:7px 12px;text-align:left;border-bottom:1px solid var(--fnn-line);white-space:nowrap}
th:first-child,td:first-child{padding-left:0}
th:last-child,td:last-child{padding-right:0}
thead th,thead td{white-space:normal;color:var(--fnn-soft);font-weight:600;font-size:.8rem;
vertical-align:bottom;border-bottom-color:var(--fnn-soft)}
tbody th,tfoot th{font-weight:550;white-space:normal;overflow-wrap:anywhere;min-width:9em;max-width:26em}
.recall .with-bar{width:18%;min-width:68px}
.recall td:last-child{white-space:normal;overflow-wrap:anywhere;min-width:5.5em}
tbody tr:last-child>*{border-bottom:0}
tfoot th,tfoot td{font-weight:650;border-bottom:0;border-top:1px solid var(--fnn-soft)}
.n{text-align:right}
.with-bar{width:28%;min-width:96px}
.bar{display:block;height:8px;border-radius:4px;background:var(--fnn-line);overflow:hidden}
.bar i{display:block;height:100%;border-radius:4px;background:var(--fnn-s1)}
.bar i.bad{background:var(--fnn-s2)}
details summary{cursor:pointer;color:var(--fnn-s3);font-weight:600}
details summary::marker{color:var(--fnn-soft)}
details[open] summary{margin-bottom:14px}
.scroll+details{margin-top:18px}
.good::before{content:"\\2713\\00a0";color:var(--fnn-s3);font-weight:700}
.wrong{color:var(--fnn-s2);font-weight:700}
.wrong::before{content:"\\2717\\00a0"}

.pixel{display:block;width:100%;height:auto;image-rendering:pixelated;border-radius:6px;
box-shadow:0 0 0 1px var(--fnn-line)}
.mistakes{display:grid;grid-template-columns:repeat(auto-fill,minmax(112px,1fr));gap:22px 18px;list-style:none;
margin:0;padding:0}
.mistakes p{font-size:.88rem;line-height:1.4;margin-top:8px}
.mistakes b{font-size:1.02rem}
.mistakes .bar{height:5px;margin-top:7px}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(62px,84px));gap:10px;list-style:none;margin:0;
padding:0;font-size:.8rem;color:var(--fnn-soft);font-variant-numeric:tabular-nums}
.grid span{display:flex;align-items:center;justify-content:center;gap:6px;margin-top:4px}
.grid span .pixel{width:22px;border-radius:3px}
.journey{display:grid;grid-template-columns:168px minmax(0,1fr);gap:26px 40px;align-items:start}
figure{margin:0}
.sample{display:grid;gap:24px}
figcaption{font-size:.86rem;color:var(--fnn-soft);margin-bottom:8px}
figcaption b{color:var(--fnn-ink)}
.votes{list-style:none;margin:0;padding:0;font-size:.86rem;font-variant-numeric:tabular-nums}
.votes li{display:grid;grid-template-columns:minmax(1ch,auto) minmax(40px,1fr) 3.4em;gap:8px;align-items:center;
padding:1px 0}
.votes li.top{font-weight:700}
.votes span:last-child{text-align:right;white-space:nowrap;overflow-wrap:normal}
footer{padding-top:30px;padding-bottom:56px;font-size:.86rem;color:var(--fnn-soft)}
footer p{margin-top:6px;max-width:60em}

@media (max-width:640px){
main,header,footer,nav{padding-left:14px;padding-right:14px}
header{padding-top:32px}
.title{display:block}
.title>.fnn{width:min(100%,290px);margin-top:20px}
.facts{grid-template-columns:1fr 1fr}
.facts div{padding:14px 15px}
.facts div:last-child:nth-child(odd){grid-column:1/-1}
.facts dd{font-size:1.6rem}
.machine{display:grid;gap:3px}
.machine dt{min-width:8.2em}
section{padding:20px 16px;border-radius:12px;margin-top:14px}
.see{margin-bottom:18px}
.mistakes{grid-template-columns:repeat(auto-fill,minmax(90px,1fr));gap:18px 14px}
.journey{grid-template-columns:1fr}
.sample{grid-template-columns:116px minmax(0,1fr);gap:18px;align-items:start}
table{font-size:.86rem}
th,td{padding:6px 7px}
.speed tbody th{white-space:normal;min-width:9em}
.with-bar{display:none}
.recall tbody th,.recall tfoot th{min-width:6em}
/* a layer is a card: its name, then a line of named numbers */
.layers thead{display:none}
.layers,.layers tbody,.layers tfoot,.layers tr,.layers th,.layers td{display:block}
.layers tr{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:7px 12px;padding:11px 0;
border-bottom:1px solid var(--fnn-line)}
.layers tbody tr:last-child,.layers tfoot tr{border-bottom:0}
.layers tfoot tr{border-top:1px solid var(--fnn-soft)}
.layers th{grid-column:1/-1;max-width:none}
.layers th,.layers td{padding:0;border:0!important;text-align:left;white-space:normal}
.layers td:not([data-head]){display:none}
.grid{grid-template-columns:repeat(auto-fill,minmax(56px,1fr));gap:8px}
.layers td::before{content:attr(data-head);display:block;font-size:.75rem;font-weight:400;color:var(--fnn-soft)}
}
@media print{
body{background:#fff}
nav{display:none}
section{break-inside:avoid;border-color:#ccc}
}
"""


def style_sheet() -> str:
    """All the CSS of the page: theme variables, the drawing rules of the pictures, the layout."""
    light = theme_variables(LIGHT) + "--ground:#f4f6f8;--shade:#1b24302e;"
    dark = theme_variables(DARK) + "--ground:#0c1117;--shade:#0000008c;"
    return (f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
            f"{drawing_rules()}{_LAYOUT.replace('FONT', FONT)}")


def frame(title: str, description: str, body: str) -> str:
    """A whole HTML5 document."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="fastnn">
<meta name="description" content="{escape(description)}">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{style_sheet()}</style>
</head>
<body>
{body}
</body>
</html>
"""
