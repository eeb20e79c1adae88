"""`kernels.yaml`: what is read from it, the file that ships, and its reference page."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.config import Config, DebKernel, FileKernel, PackageKernel, load
from harness.config.models import SOURCES, Criu, Model, Profile, Sections, Settings, Timeouts, Userland
from harness.errors import ConfigError

ROOT = Path(__file__).parent.parent
USERLAND = "userlands:\n  u: {suite: trixie, packages: [criu]}\n"
KERNEL = "kernels:\n  k: {package: linux-image-a, suite: trixie}\n"


def config(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "kernels.yaml"
    path.write_text(text)
    return load(path)


@pytest.fixture(scope="module")
def shipped() -> Config:
    return load(ROOT / "kernels.yaml")


def test_defaults_are_those_of_the_design(tmp_path: Path) -> None:
    settings = config(tmp_path, USERLAND + KERNEL).settings
    assert settings == Settings()
    assert settings.libvirt_uri == "qemu:///embed"
    assert (settings.accelerator, settings.cpu, settings.arch) == ("auto", "Haswell-noTSX", "amd64")
    assert settings.memory == 512 * 1024 * 1024
    assert settings.timeouts == Timeouts(boot=90, command=30, start=30, dump=60, restore=60, check=60)
    assert (settings.jobs, settings.snapshot_mirror, settings.mirrors) == (None, None, {})


def test_one_text_stands_for_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.deb").touch()
    read = config(tmp_path, f"{USERLAND}{KERNEL}  d: {{deb: a.deb}}\n")
    package, deb = read.kernels["k"], read.kernels["d"]
    assert isinstance(package, PackageKernel)
    assert package.suite == ("trixie",)
    assert isinstance(deb, DebKernel)
    assert deb.deb == (tmp_path / "a.deb",)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "bzImage").touch()
    (tmp_path / "built" / ".config").touch()
    text = (
        "userlands:\n  u: {suite: trixie, packages: [criu], criu: {path: ../built}}\n"
        "kernels:\n  k: {image: ../built/bzImage, modules: ../built, config: ../built/.config}\n"
    )
    (tmp_path / "lab" / "kernels.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    read = load(Path("lab/kernels.yaml"))
    kernel, criu = read.kernels["k"], read.userlands["u"].criu
    assert isinstance(kernel, FileKernel)
    assert kernel.image.samefile(tmp_path / "built/bzImage")
    assert kernel.image.is_absolute()
    assert kernel.modules is not None
    assert kernel.modules.samefile(tmp_path / "built")
    assert criu is not None
    assert criu.path.samefile(tmp_path / "built")
    assert read.path == tmp_path / "lab/kernels.yaml"


def test_merge_keys_and_aliases_work(tmp_path: Path) -> None:
    first = "  a: &a {package: 'l-*', pick: newest, suite: trixie}\n"
    text = f"{USERLAND}kernels:\n{first}  b:\n    <<: *a\n    pick: oldest\n"
    read = config(tmp_path, text)
    second = read.kernels["b"]
    assert isinstance(second, PackageKernel)
    assert (second.package, second.pick, second.suite) == ("l-*", "oldest", ("trixie",))


def test_a_snapshot_with_a_mirror_is_right(tmp_path: Path) -> None:
    text = (
        "settings: {snapshot_mirror: 'http://snapshot.example/debian'}\n"
        f"{USERLAND}kernels:\n"
        "  old: {package: linux-image-3.11-2-amd64, suite: sid, snapshot: 20131115T000000Z}\n"
    )
    kernel = config(tmp_path, text).kernels["old"]
    assert isinstance(kernel, PackageKernel)
    assert kernel.snapshot == "20131115T000000Z"


@pytest.mark.parametrize(
    ("text", "size"), [("512MiB", 512 << 20), ("1GiB", 1 << 30), ("536870912", 512 << 20)]
)
def test_sizes(tmp_path: Path, text: str, size: int) -> None:
    assert config(tmp_path, f"settings: {{memory: {text}}}\n{USERLAND}{KERNEL}").settings.memory == size


def test_objects_are_frozen(shipped: Config) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        shipped.settings.vcpus = 2


def test_another_criu_for_every_userland(shipped: Config, tmp_path: Path) -> None:
    changed = shipped.with_criu(tmp_path)
    assert {userland.criu for userland in changed.userlands.values()} == {Criu(path=tmp_path)}
    assert all(userland.criu is None for userland in shipped.userlands.values())
    assert changed.kernels == shipped.kernels


def test_another_criu_must_be_there(shipped: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such directory"):
        shipped.with_criu(tmp_path / "absent")


def test_the_quick_profile_is_what_the_readme_promises(shipped: Config) -> None:
    quick = shipped.profiles["quick"]
    labels = shipped.select_kernels(shipped.kernels, quick.kernels)
    assert labels == ["debian-5.10", "debian-6.1-oldest", "debian-6.1", "debian-6.12", "debian-7.3"]
    assert quick.userlands == ("trixie",)
    assert quick.modes == ("cold",)
    scenarios = len(quick.scenarios)
    assert scenarios * len(labels) ** 2 == 150


def test_nightly_runs_everything_but_the_kernels_whose_modules_are_gone(shipped: Config) -> None:
    nightly = shipped.profiles["nightly"]
    chosen = shipped.select_kernels(shipped.kernels, nightly.kernels)
    assert [k for k in shipped.kernels if k not in chosen] == ["debian-6.19", "debian-7.0", "debian-7.1"]


@pytest.mark.parametrize(
    ("label", "taken", "left"),
    [
        ("debian-5.10", "linux-image-5.10.0-46-cloud-amd64", "linux-image-5.10.0-46-amd64"),
        ("debian-5.10", "linux-image-5.10.0-46-cloud-amd64", "linux-image-5.10.0-46-cloud-amd64-dbg"),
        ("debian-6.1", "linux-image-6.1.0-56-cloud-amd64", "linux-image-6.1.0-0.deb11.52-cloud-amd64"),
        ("debian-6.1", "linux-image-6.1.0-100-cloud-amd64", "linux-image-6.1-cloud-amd64"),
        ("debian-6.12", "linux-image-6.12.115+deb13.1-cloud-amd64", "linux-image-6.12.117+deb12-cloud-amd64"),
        (
            "debian-6.12",
            "linux-image-6.12.117+deb13-cloud-amd64",
            "linux-image-6.12.117+deb13-cloud-amd64-unsigned",
        ),
        ("debian-7.3", "linux-image-7.3.4+deb13-cloud-amd64", "linux-image-7.3.4+deb13-cloud-amd64-dbg"),
        ("debian-7.3", "linux-image-7.3.4+deb13-cloud-amd64", "linux-image-7.2.12+deb13-cloud-amd64"),
    ],
)
def test_globs_take_the_cloud_kernels_of_one_series(
    shipped: Config, label: str, taken: str, left: str
) -> None:
    kernel = shipped.kernels[label]
    assert isinstance(kernel, PackageKernel)
    assert fnmatchcase(taken, kernel.package)
    assert not fnmatchcase(left, kernel.package)


def test_userlands_carry_what_the_lab_needs(shipped: Config) -> None:
    needed = {"criu", "iproute2", "iptables", "nftables", "kmod", "procps", "util-linux"}
    for userland in shipped.userlands.values():
        assert needed | {"libc6-dev", "python3"} <= set(userland.packages)
    assert list(shipped.userlands) == ["bookworm", "trixie", "forky"]
    assert not shipped.userlands["forky"].check_valid_until


@pytest.mark.parametrize("model", [Sections, Settings, Timeouts, Userland, Criu, *SOURCES.values(), Profile])
def test_every_field_is_in_the_reference(model: type[Model]) -> None:
    page = (ROOT / "docs/kernels-yaml.md").read_text()
    section = page.split(f"<!-- {model.__name__} -->")[1].split("<!--")[0]
    absent = [name for name in model.model_fields if f"`{name}`" not in section]
    assert not absent
    assert all(info.description for info in model.model_fields.values())


def test_the_examples_of_the_reference_are_valid(tmp_path: Path) -> None:
    page = (ROOT / "docs/kernels-yaml.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    for name in ("linux/bzImage", "linux/.config", "kernel.deb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name in ("linux/modules", "criu"):
        (tmp_path / name).mkdir()
    read = config(tmp_path, example)
    assert {type(kernel) for kernel in read.kernels.values()} == {PackageKernel, FileKernel, DebKernel}
