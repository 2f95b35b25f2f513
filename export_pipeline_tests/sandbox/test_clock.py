import asyncio

from export_pipeline.sandbox import RealClock, SteppedClock


def test_sleepers_wake_when_the_clock_is_stepped_past_them_the_earliest_first():
    clock, woken = SteppedClock(), []

    async def sleep(seconds):
        await clock.sleep(seconds)
        woken.append(seconds)

    async def story():
        tasks = [asyncio.create_task(sleep(seconds)) for seconds in (30, 10, 0)]
        await tasks[2]
        clock.advance(9)
        await asyncio.sleep(0)
        assert woken == [0]
        clock.advance(100)
        await asyncio.gather(*tasks)

    asyncio.run(story())
    assert woken == [0, 10, 30]
    assert clock.sleepers() == 0


def test_a_cancelled_sleeper_is_forgotten():
    clock = SteppedClock()

    async def story():
        task = asyncio.create_task(clock.sleep(5))
        await asyncio.sleep(0)
        assert clock.sleepers() == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(story())
    assert clock.sleepers() == 0


def test_the_real_clock_goes_on_while_sleeping():
    clock = RealClock()
    before = clock.now()

    asyncio.run(clock.sleep(0.01))

    assert clock.now() > before
