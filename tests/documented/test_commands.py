"""Every command in the pages is run: by hand of nobody, against one prepared scene, for real."""

from __future__ import annotations

import itertools

import pytest

from tests.documented.pages import blocks, spans
from tests.documented.resolving import arguments_in, problem_of
from tests.documented.scene import Scene
from tests.documented.stories import Stories
from tests.documented.tables import LIVING, NOT_RUN, SERVERS, commands_of, not_run, which
from tests.documented.telling import FIRST, page

COMMANDS = list(commands_of(blocks()))


def test_adx_knows_every_command_that_the_pages_name() -> None:
    """In blocks as they stand; in sentences the name and every option, so that a renamed one is found."""
    in_blocks = [
        (command.place, program, problem_of(program[1:]))
        for command in COMMANDS
        for program in command.programs
        if program and program[0] == "adx"
    ]
    in_sentences = [(span.place, span.text, problem_of(arguments_in(span.text), is_whole=False)) for span in spans()]

    assert [found for found in [*in_blocks, *in_sentences] if found[-1]] == []
    assert len(in_blocks) > 80
    assert len(in_sentences) > 60


def test_what_is_not_run_is_looked_at_otherwise() -> None:
    """As the table says."""
    looked_at = [(command, entry) for command in COMMANDS if (entry := not_run(command)) is not None]

    assert [(one.place, one.text, why) for one, entry in looked_at if (why := entry.problem_of(one))] == []


def test_no_table_has_an_entry_that_the_pages_do_not_need() -> None:
    """What was exempted and is gone, or has changed, is taken out here too."""
    patterns = [*(entry.pattern for entry in NOT_RUN), *SERVERS, *LIVING]

    assert [one for one in patterns if not any(which((one,), command) for command in COMMANDS)] == []


@pytest.mark.timeout(900)  # over a hundred commands and a dozen rollouts: 3 minutes on a busy machine
def test_every_command_ends_as_the_pages_say(scene: Scene) -> None:
    """With 0 or what its line says, in the order of its page; words to a running rollout in the middle of one."""
    wanted = [command for command in COMMANDS if not_run(command) is None]
    stories = Stories(scene, wanted)
    stories.tell_releases()
    stories.tell_waves()
    assert stories.unsaid == []
    problems = list[str]()
    wanted.sort(key=lambda command: not command.place.startswith(FIRST))
    for name, commands in itertools.groupby(wanted, lambda command: command.place.partition(":")[0]):
        with page(scene, name) as opened:
            problems += [opened.run(command) for command in commands if not which(LIVING, command)]

    assert "\n".join(filter(None, problems)) == ""
