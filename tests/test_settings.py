import dataclasses
import json

import pytest

from workbench import settings as s


@s.settings
class Inner:
    """Nested."""

    step: float = s.field(0.5, "Step.", unit="ps", bounds=(0.0, 1.0))


@s.settings
class Settings:
    """All kinds of field."""

    count: int = s.field(3, "How many.", bounds=(1, 10))
    length: float = s.field(1.5, "How long.", unit="nm", bounds=(0.1, None))
    method: str = s.field("fast", "Which.", choices=("fast", "exact"))
    switch: bool = s.field(False, "Whether.")
    limit: float | None = s.field(None, "Upper limit, or none.", bounds=(None, 5.0))
    groups: tuple[tuple[int, ...], ...] = s.field(((1, 2),), "Groups.", bounds=(0, None))
    inner: Inner = s.field(Inner(), "Inside.")


def test_defaults_units_and_help_can_be_read():
    fields = {f.name: f for f in dataclasses.fields(Settings)}
    assert fields["length"].metadata == {"help": "How long.", "unit": "nm", "bounds": (0.1, None), "choices": ()}
    assert Settings() == Settings() and hash(Settings()) == hash(Settings())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"cuont": 3}, r"Settings has no field 'cuont': did you mean 'count'\?"),
        ({"zzz": 3}, "Settings has no field 'zzz': it has count, length, method"),
        ({"count": 0}, r"Settings.count = 0: must be between 1 and 10\."),
        ({"count": 11}, "must be between 1 and 10"),
        ({"count": 2.0}, r"Settings.count = 2.0: must be int, not float\."),
        ({"count": True}, "must be int, not bool"),
        ({"count": "3"}, "must be int, not str"),
        ({"length": 0.0}, r"Settings.length = 0.0: must be at least 0.1 nm\."),
        ({"length": float("nan")}, "must be at least 0.1 nm"),
        ({"length": "long"}, "must be float, not str"),
        ({"method": "slow"}, r"Settings.method = 'slow': choose one of 'fast', 'exact'\."),
        ({"switch": 1}, "must be bool, not int"),
        ({"limit": 6.0}, "must be at most 5.0"),
        ({"limit": "none"}, "must be float or None, not str"),
        ({"groups": ((1, -2),)}, "must be at least 0"),
        ({"groups": 5}, "must be tuple, not int"),
        ({"inner": 0.5}, "must be Inner, not float"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        Settings(**values)
    assert "\n" not in str(refusal.value)


def test_an_int_serves_as_float_and_a_list_as_tuple():
    made = Settings(length=2, limit=3, groups=[[1], [2, 3]])
    assert isinstance(made.length, float) and made.limit == 3.0 and made.groups == ((1,), (2, 3))


def test_settings_are_frozen_and_positional_arguments_refused():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().count = 4
    with pytest.raises(TypeError):
        Settings(3)


def test_replace_checks_too():
    assert dataclasses.replace(Settings(), count=4).count == 4
    with pytest.raises(ValueError, match="must be between 1 and 10"):
        dataclasses.replace(Settings(), count=40)


def test_json_out_and_in_is_the_same():
    made = Settings(count=7, limit=1.25, groups=((0,), (4, 5)), inner=Inner(step=0.125))
    assert s.from_dict(Settings, json.loads(json.dumps(s.to_dict(made)))) == made
    with pytest.raises(ValueError, match="has no field 'stepp': did you mean 'step'"):
        s.from_dict(Settings, {"inner": {"stepp": 1.0}})
    with pytest.raises(ValueError, match=r"must be between 0.0 and 1.0 ps"):
        s.from_dict(Settings, {"inner": {"step": 2.0}})
