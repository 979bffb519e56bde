"""no_grad and its kin on functions that stop in between: generators and coroutines."""

import asyncio
import inspect

import pytest

import fastnn as nn

RECORDING = nn.autograd.is_grad_enabled


@pytest.mark.parametrize("mode, inside", [(nn.no_grad, False), (nn.enable_grad, True)])
def test_generators(mode, inside):
    end = []

    @mode()
    def steps(first):
        """Docs."""
        try:
            got = yield first, RECORDING()
            try:
                yield got, RECORDING()
            except KeyError:
                yield "caught", RECORDING()
        finally:
            end.append(RECORDING())
        return "done"

    def outer():
        return (yield from steps(1))
    assert inspect.isgeneratorfunction(steps) and steps.__doc__ == "Docs."
    with nn.set_grad_enabled(not inside):
        run = outer()
        seen = [next(run), run.send(2), run.throw(KeyError()), RECORDING()]
        assert seen == [(1, inside), (2, inside), ("caught", inside), not inside]
        with pytest.raises(StopIteration) as stop:
            next(run)
        assert stop.value.value == "done" and end == [inside]
        early = steps(1)
        next(early)
        early.close()
        assert end == [inside, inside] and RECORDING() is (not inside)
        assert [item for item in steps(3)] == [(3, inside), (None, inside)]


def test_an_error_in_a_generator_leaves_the_mode_of_before():
    @nn.no_grad()
    def broken():
        yield 1
        raise ValueError("broken")
    run = broken()
    next(run)
    with pytest.raises(ValueError, match="broken"):
        next(run)
    assert RECORDING()


def test_coroutines_take_turns():
    @nn.no_grad()
    async def without():
        seen = [RECORDING()]
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(RECORDING())
        return seen

    async def with_tape():
        seen = []
        for _ in range(4):
            seen.append(RECORDING())
            await asyncio.sleep(0)
        return seen

    async def main():
        task = asyncio.create_task(without())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await asyncio.gather(without(), with_tape())
    assert inspect.iscoroutinefunction(without)
    assert asyncio.run(main()) == [[False]*4, [True]*4]
    assert RECORDING()


def test_asynchronous_generators():
    end = []

    @nn.no_grad()
    async def steps():
        try:
            got = yield RECORDING()
            await asyncio.sleep(0)
            try:
                yield got, RECORDING()
            except KeyError:
                yield "caught", RECORDING()
        finally:
            end.append(RECORDING())

    async def main():
        run = steps()
        assert [await anext(run), RECORDING(), await run.asend(7), RECORDING()] == [False, True, (7, False), True]
        assert await run.athrow(KeyError()) == ("caught", False)
        with pytest.raises(StopAsyncIteration):
            await anext(run)
        early = steps()
        await anext(early)
        await early.aclose()
        assert [item async for item in steps()] == [False, (None, False)]
    assert inspect.isasyncgenfunction(steps)
    asyncio.run(main())
    assert end == [False]*3 and RECORDING()


def test_a_decorator_needs_no_brackets():
    w = nn.ones(1, requires_grad=True)
    for mode, wanted in ((nn.no_grad, False), (nn.inference_mode, False), (nn.enable_grad, True)):
        @mode
        def call():
            """Words."""
            return (w * 2).requires_grad

        @mode
        def steps():
            yield (w * 2).requires_grad
        with nn.set_grad_enabled(not wanted):
            assert (call(), *steps()) == (wanted, wanted) and call.__doc__ == "Words."
    with pytest.raises(nn.DTypeError, match="no_grad"):
        nn.no_grad(False)
