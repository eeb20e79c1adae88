"""Bad input: every mistake in `kernels.yaml` is found, all at once, with its line, key and expectation."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import load
from harness.errors import ConfigError, Exit

GOOD = """\
settings:
  memory: 512MiB
userlands:
  u: {suite: trixie, packages: [criu]}
kernels:
  k: {package: linux-image-a, suite: trixie}
profiles:
  p: {userlands: [u], kernels: [k], scenarios: [cpu]}
"""


def mistakes(tmp_path: Path, text: str) -> list[str]:
    """The lines of the error that the text gives, without the directory."""
    path = tmp_path / "kernels.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_code is Exit.USAGE
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def with_settings(line: str) -> str:
    return GOOD.replace("  memory: 512MiB", f"  {line}")


def with_kernel(entry: str) -> str:
    return GOOD.replace("{package: linux-image-a, suite: trixie}", entry)


def with_profile(entry: str) -> str:
    return GOOD.replace("{userlands: [u], kernels: [k], scenarios: [cpu]}", entry)


def test_the_starting_point_is_good(tmp_path: Path) -> None:
    path = tmp_path / "kernels.yaml"
    path.write_text(GOOD)
    assert list(load(path).kernels) == ["k"]


@pytest.mark.parametrize(
    ("line", "key", "expected"),
    [
        ("memory: 10 apples", "settings.memory", "expected a size such as 512MiB"),
        ("memory: 1MiB", "settings.memory", "from 64MiB to 1TiB"),
        ("memory: 2000TiB", "settings.memory", "from 64MiB to 1TiB"),
        ("memory: true", "settings.memory", "expected a size such as 512MiB"),
        ("memory: -512MiB", "settings.memory", "expected a size such as 512MiB"),
        ("vcpus: 0", "settings.vcpus", "expected a whole number from 1 to 256"),
        ("vcpus: two", "settings.vcpus", "'two' is text; expected a whole number"),
        ("vcpus: 1.5", "settings.vcpus", "expected a whole number"),
        ("jobs: -3", "settings.jobs", "expected a whole number from 1 to 256"),
        ("jobs: true", "settings.jobs", "expected a whole number"),
        ("timeouts: {boot: 0}", "settings.timeouts.boot", "more than 0 seconds"),
        ("timeouts: {dump: 1e9}", "settings.timeouts.dump", "at most 86400"),
        ("timeouts: {dump: .nan}", "settings.timeouts.dump", "nan"),
        ("timeouts: {check: 60s}", "settings.timeouts.check", "'60s' is text; expected a number"),
        ("timeouts: {bot: 60}", "settings.timeouts.bot", "did you mean boot?"),
        ("timeouts: 60", "settings.timeouts", "expected the keys boot, command, start"),
        ("accelerator: xen", "settings.accelerator", "expected 'auto', 'kvm' or 'tcg'"),
        ("acelerator: kvm", "settings.acelerator", "did you mean accelerator?"),
        ("cpu: max pain", "settings.cpu", "expected a CPU model"),
        ("cpu: 'Nehalem,avx2'", "settings.cpu", "features for or against: Nehalem"),
        ("kernel_args: quiet", "settings.kernel_args", "'quiet' is text; expected a list"),
        ("kernel_args: [a b]", "settings.kernel_args[0]", "one word without blanks"),
        ("libvirt_uri: nonsense", "settings.libvirt_uri", "expected a libvirt URI"),
        ("snapshot_mirror: snapshot.example", "settings.snapshot_mirror", "expected a URL"),
        ("mirrors: {debain: 'http://m.example/d'}", "settings.mirrors.debain", "'debian' or 'security'"),
        ("mirrors: {debian: here}", "settings.mirrors.debian", "expected a URL"),
        ("arch: arm64", "settings.arch", "expected 'amd64'"),
    ],
)
def test_settings(tmp_path: Path, line: str, key: str, expected: str) -> None:
    (found,) = mistakes(tmp_path, with_settings(line))
    assert found.startswith(f"kernels.yaml:2: {key}: ")
    assert expected in found


@pytest.mark.parametrize(
    ("entry", "key", "expected"),
    [
        ("{package: 'linux-*', suite: s}", "kernels.k.pick", "is missing, and 'linux-*' is a glob"),
        ("{package: linux-a, pick: newest, suite: s}", "kernels.k.pick", "'newest' has nothing to pick from"),
        ("{package: 'linux-*', pick: latest, suite: s}", "kernels.k.pick", "'newest', 'oldest' or 'all'"),
        ("{package: linux-a}", "kernels.k.suite", "is missing"),
        ("{package: linux-a, suite: []}", "kernels.k.suite", "is empty; expected at least one"),
        ("{package: linux-a, suite: 12}", "kernels.k.suite", "12 is a number; expected a list"),
        ("{package: linux-a, suite: 'a b'}", "kernels.k.suite", "expected a suite of the archive"),
        ("{package: Linux_A, suite: s}", "kernels.k.package", "'Linux_A' is no package name"),
        ("{package: 6.1, suite: s}", "kernels.k.package", "expected text, so put it in quotes"),
        ("{package: linux-a, suite: s, sute: t}", "kernels.k.sute", "did you mean suite?"),
        ("{package: linux-a, suite: s, modules: m}", "kernels.k.modules", "does not go with 'package'"),
        ("{suite: s}", "kernels.k.package", "expected one of package, image, deb"),
        ("{}", "kernels.k.package", "expected one of package, image, deb"),
        ("", "kernels.k", "is empty; expected the keys package"),
        ("linux-image-a", "kernels.k", "'linux-image-a' is text; expected the keys package"),
        ("{image: bzImage}", "kernels.k.image", "'bzImage' does not exist; expected a file at"),
        ("{image: .}", "kernels.k.image", "'.' is not a file"),
        ("{image: ''}", "kernels.k.image", "is empty; expected a path"),
        ('{image: "a\\0b"}', "kernels.k.image", "does not exist"),
        ("{deb: absent.deb}", "kernels.k.deb", "'absent.deb' does not exist"),
        ("{deb: [absent.deb]}", "kernels.k.deb[0]", "'absent.deb' does not exist"),
        ("{deb: []}", "kernels.k.deb", "is empty"),
        ("{package: a-b, suite: s, snapshot: 2013}", "kernels.k.snapshot", "such as 20131115T000000Z"),
    ],
)
def test_kernels(tmp_path: Path, entry: str, key: str, expected: str) -> None:
    found = mistakes(tmp_path, with_kernel(entry))
    assert any(one.startswith(f"kernels.yaml:6: {key}: ") and expected in one for one in found), found
    assert all(":6: kernels.k" in one for one in found)


def test_wrong_items_do_not_make_a_list_empty(tmp_path: Path) -> None:
    found = mistakes(tmp_path, with_kernel("{package: linux-a, suite: [1, 2]}"))
    assert [one.split(": ")[1] for one in found] == ["kernels.k.suite[0]", "kernels.k.suite[1]"]


def test_like_mistakes_on_one_line_are_all_told(tmp_path: Path) -> None:
    found = mistakes(tmp_path, with_profile("{userlands: [], kernels: [], scenarios: []}"))
    assert [one.split(": ")[1] for one in found] == [
        "profiles.p.kernels",
        "profiles.p.scenarios",
        "profiles.p.userlands",
    ]


def test_two_sources(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, with_kernel("{package: linux-a, suite: s, image: bzImage}"))
    assert found == (
        "kernels.yaml:6: kernels.k.image: is a second source beside 'package'; "
        "expected exactly one of package, image, deb"
    )


@pytest.mark.parametrize(
    "moment", ["20131315T000000Z", "20131115T000000", "yesterday", "2013-11-15", "2013115T000000Z"]
)
def test_snapshot_that_is_no_moment(tmp_path: Path, moment: str) -> None:
    text = with_kernel(f"{{package: linux-a, suite: s, snapshot: {moment}}}").replace(
        "memory: 512MiB", "snapshot_mirror: http://snapshot.example/debian"
    )
    (found,) = mistakes(tmp_path, text)
    assert found.startswith("kernels.yaml:6: kernels.k.snapshot: ")
    assert found.endswith("such as 20131115T000000Z")


def test_snapshot_without_a_mirror(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, with_kernel("{package: linux-a, suite: s, snapshot: 20131115T000000Z}"))
    assert found.startswith("kernels.yaml:6: kernels.k.snapshot: there is no mirror")
    assert "settings.snapshot_mirror" in found


@pytest.mark.parametrize(
    "label", ["a/b", "a→b", "'a,b'", "a b", "'a*'", "'a?'", "'a[1]'", "-a", "''", "a->b", "é"]
)
def test_labels_that_would_break_cell_names(tmp_path: Path, label: str) -> None:
    for section, name in (
        ("kernels", "  k: {package"),
        ("userlands", "  u: {suite"),
        ("profiles", "  p: {user"),
    ):
        found = mistakes(tmp_path, GOOD.replace(name, name.replace(name[2], label, 1)))
        assert any(f": {section}." in one and "letters, digits and . _ + - only" in one for one in found), (
            found
        )


def test_a_label_that_is_a_number(tmp_path: Path) -> None:
    found = mistakes(tmp_path, GOOD.replace("  k: {", "  6.1: {").replace("[k]", "['6.1']"))
    assert found == ["kernels.yaml:6: kernels.6.1: this key is not text; expected it in quotes: '6.1'"]


def test_a_label_that_looks_like_one_of_pick_all(tmp_path: Path) -> None:
    text = with_kernel("{package: 'linux-*', pick: all, suite: s}\n  k-old: {package: linux-a, suite: s}")
    (found,) = mistakes(tmp_path, text)
    assert found.startswith(
        "kernels.yaml:7: kernels.k-old: looks like one of the kernels that 'k' (pick: all)"
    )


@pytest.mark.parametrize(
    ("entry", "key", "expected"),
    [
        (
            "{userlands: [w], kernels: [k], scenarios: [cpu]}",
            "profiles.p.userlands[0]",
            "'w' matches no userland",
        ),
        (
            "{userlands: [u], kernels: [k, z*], scenarios: [cpu]}",
            "profiles.p.kernels[1]",
            "'z*' matches no kernel",
        ),
        ("{userlands: u, kernels: zz, scenarios: cpu}", "profiles.p.kernels", "expected one of: k"),
        ("{userlands: [u], kernels: [], scenarios: [cpu]}", "profiles.p.kernels", "is empty"),
        ("{userlands: [u], kernels: [k]}", "profiles.p.scenarios", "is missing"),
        ("{userlands: [u], kernels: [k], scenarios: ['']}", "profiles.p.scenarios[0]", "is no pattern"),
        (
            "{userlands: [u], kernels: [k], scenarios: [a], modes: [hot]}",
            "profiles.p.modes[0]",
            "expected 'cold'",
        ),
        ("{userlands: [u], kernels: [k], scenario: [a]}", "profiles.p.scenario", "did you mean scenarios?"),
        ("", "profiles.p", "is empty; expected the keys userlands, kernels, scenarios, modes"),
    ],
)
def test_profiles(tmp_path: Path, entry: str, key: str, expected: str) -> None:
    found = mistakes(tmp_path, with_profile(entry))
    assert any(one.startswith(f"kernels.yaml:8: {key}: ") and expected in one for one in found), found


def test_a_profile_may_name_kernels_that_pick_all_will_make(tmp_path: Path) -> None:
    text = with_kernel("{package: 'linux-*', pick: all, suite: s}").replace(
        "[k]", "[k, k-6.1.0-50-amd64, 'k-6*']"
    )
    (tmp_path / "kernels.yaml").write_text(text)
    assert load(tmp_path / "kernels.yaml").profiles["p"].kernels[1] == "k-6.1.0-50-amd64"
    assert "matches no kernel" in mistakes(tmp_path, text.replace("k-6*", "j-6*"))[0]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "{suite: trixie, packages: [criu], criu: {path: absent}}",
            "userlands.u.criu.path: 'absent' does not exist",
        ),
        (
            "{suite: trixie, packages: [criu], criu: absent}",
            "userlands.u.criu: 'absent' is text; expected the keys path",
        ),
        ("{suite: trixie, packages: [criu], check_valid_until: no}", "expected true or false"),
        ("{suite: trixie, packages: [criu; id]}", "userlands.u.packages[0]: 'criu; id' will not do"),
        ("{suite: trixie, packages: []}", "userlands.u.packages: is empty"),
        ("{packages: [criu]}", "userlands.u.suite: is missing; expected the Debian suite"),
    ],
)
def test_userlands(tmp_path: Path, entry: str, expected: str) -> None:
    (found,) = mistakes(tmp_path, GOOD.replace("{suite: trixie, packages: [criu]}", entry))
    assert found.startswith("kernels.yaml:4: ")
    assert expected in found


@pytest.mark.parametrize("value", ["{}", ""])
def test_no_kernels(tmp_path: Path, value: str) -> None:
    found = mistakes(
        tmp_path, GOOD.replace("kernels:\n  k: {package: linux-image-a, suite: trixie}", f"kernels: {value}")
    )
    assert found[0].startswith("kernels.yaml:5: kernels: is empty; expected ")
    assert "profiles.p.kernels[0]: 'k' matches no kernel" in found[1]


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file(tmp_path: Path, text: str) -> None:
    found = mistakes(tmp_path, text)
    assert [one.split(": ")[:2] for one in found] == [
        ["kernels.yaml:1", "kernels"],
        ["kernels.yaml:1", "userlands"],
    ]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "42\n"])
def test_a_file_of_the_wrong_shape(tmp_path: Path, text: str) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found.startswith("kernels.yaml:1: ")
    assert "expected the keys settings, userlands, kernels, profiles" in found


def test_duplicate_keys_at_every_level(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        GOOD + "  p: {userlands: [u], kernels: [k], scenarios: [cpu]}\nsettings: {vcpus: 1, vcpus: 2}\n",
    )
    assert found == [
        "kernels.yaml:9: profiles.p: is here twice; expected each key once (line 8)",
        "kernels.yaml:10: settings: is here twice; expected each key once (line 1)",
        "kernels.yaml:10: settings.vcpus: is here twice; expected each key once (line 10)",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("kernels:\n  a: [1, 2\n", 3),
        ("kernels:\n\ta: 1\n", 2),
        ("kernels: *gone\n", 1),
        ("a: 'open\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("kernels: !!python/object:os.system {}\n", 1),
        ("a: 1\nb: \x01\n", 2),
    ],
)
def test_text_that_is_not_yaml(tmp_path: Path, text: str, line: int) -> None:
    found = mistakes(tmp_path, text)
    assert found[0].startswith(f"kernels.yaml:{line}: "), found
    assert "Traceback" not in "".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "kernels: &k\n  x: *k\n",
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
        "[" * 5000,
    ],
    ids=["self", "parent", "many-aliases", "deep"],
)
def test_text_made_to_hurt(tmp_path: Path, text: str) -> None:
    assert mistakes(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"# ok\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin.yaml:2: byte 0xe9 is not UTF-8"):
        load(tmp_path / "latin.yaml")


def test_all_mistakes_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
settings:
  memory: 1KiB
  jbos: 3
  timeouts: {boot: soon}
userlands:
  u: {suite: trixie, packages: [criu], criu: {path: nowhere}}
kernels:
  a: {package: 'linux-*', suite: trixie, pik: newest}
  a/b: {image: bzImage}
  c: {package: linux-a, suite: sid, snapshot: 20131115T000000Z}
  c: {deb: x.deb}
profiles:
  quick: {userlands: [v], kernels: [c], scenarios: []}
extra: 1
"""
    found = mistakes(tmp_path, text)
    keys = [one.removeprefix("kernels.yaml:").split(": ")[:2] for one in found]
    assert keys == [
        ["2", "settings.memory"],
        ["3", "settings.jbos"],
        ["4", "settings.timeouts.boot"],
        ["6", "userlands.u.criu.path"],
        ["8", "kernels.a.pick"],
        ["8", "kernels.a.pik"],
        ["9", "kernels.a/b"],
        ["9", "kernels.a/b.image"],
        ["10", "kernels.c.snapshot"],
        ["11", "kernels.c"],
        ["13", "profiles.quick.scenarios"],
        ["13", "profiles.quick.userlands[0]"],
        ["14", "extra"],
    ]
    assert all("; expected " in one for one in found)


def test_a_terminal_is_not_at_the_mercy_of_the_file(tmp_path: Path) -> None:
    found = mistakes(tmp_path, with_kernel('{package: "\\e[31mred", suite: s, "\\e[2J": 1}'))
    assert found
    assert all(one.isprintable() for one in found)
