"""Writing a proposal: over nothing, through no link, and judged where it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.importing.checking import FileInTheWay, problems_with, write
from pipelines.importing.model import ProposedFile
from tests.importing.objects import objects, proposed

SERVICES = "environments/live/services.yaml"


def files_of(folder: Path) -> set[str]:
    """Every file below ``folder``, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_a_file_in_the_way_keeps_all_of_them_from_being_written(tmp_path: Path) -> None:
    """One that is the same already does not; nor is anything left beside the files."""
    files = [ProposedFile(path=f"tenants/{name}.yaml", text=f"{name}: é\n") for name in ("a", "b")]
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants/b.yaml").write_bytes(b"\xff mine")

    with pytest.raises(FileInTheWay, match="differs"):
        write(tmp_path, files)
    assert files_of(tmp_path) == {"tenants/b.yaml"}

    (tmp_path / "tenants/b.yaml").write_bytes(files[1].text.encode())
    write(tmp_path, files)

    assert files_of(tmp_path) == {"tenants/a.yaml", "tenants/b.yaml"}
    assert (tmp_path / "tenants/a.yaml").read_bytes() == "a: é\n".encode()
    (tmp_path / "plain").touch()
    assert (tmp_path / "tenants/a.yaml").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("link", ["environments", "environments/live", SERVICES])
@pytest.mark.parametrize("is_dangling", [False, True])
def test_no_link_below_the_folder_is_followed(tmp_path: Path, link: str, *, is_dangling: bool) -> None:
    """At whatever height, and wherever it leads; nothing is made, and what is outside stays."""
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / link).parent.mkdir(parents=True)
    (folder / link).symlink_to(outside)
    if not is_dangling:
        (outside / "live").mkdir(parents=True)
        (outside / "mine").touch()
    before = files_of(tmp_path)

    with pytest.raises(FileInTheWay, match="symbolic link"):
        write(folder, [ProposedFile(path="tenants/a.yaml", text="a"), ProposedFile(path=SERVICES, text="x")])

    assert files_of(tmp_path) == before


def test_a_name_that_was_laid_out_beforehand_is_not_written_through(tmp_path: Path) -> None:
    """What is written aside has a name that nobody can know."""
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    (folder / "tenants").mkdir(parents=True)
    outside.write_text("mine")
    (folder / "tenants/.a.yaml.new").symlink_to(outside)
    write(folder, [ProposedFile(path="tenants/a.yaml", text="a")])

    assert outside.read_text() == "mine"


def test_a_file_where_a_folder_would_be_is_in_the_way(tmp_path: Path) -> None:
    """Below the folder that was named, or that folder itself; which may be a link to one."""
    (tmp_path / "tenants").touch()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    file = ProposedFile(path="tenants/a.yaml", text="a")

    for folder in (tmp_path, tmp_path / "tenants"):
        with pytest.raises(FileInTheWay, match="is not a folder"):
            write(folder, [file])
    write(tmp_path / "link", [file])

    assert (tmp_path / "real/tenants/a.yaml").read_text() == "a"


def test_a_proposal_is_judged_with_what_is_in_the_folder(tmp_path: Path) -> None:
    """Which need not be there; a fault of another file in it counts."""
    files = proposed(objects()).files

    assert problems_with(tmp_path / "new", files) == ()
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants/acme.yaml").write_text("kind: Tenant\n")
    assert {one.partition(":")[0] for one in problems_with(tmp_path, files)} == {"tenants/acme.yaml"}
