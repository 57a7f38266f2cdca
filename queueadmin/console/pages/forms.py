"""What the console's forms accept."""

from typing import Any, ClassVar, Final

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import QueryDict

from ingest.api import keyring, mappings
from ingest.api.keys import SCOPES
from ingest.kinds import KINDS
from ingest.models import LONGEST_INTERVAL, Schedule
from queueadmin.console import job_lists
from queueadmin.console.actions import BULK
from queueadmin.console.job_address import address, job_id_of
from queueadmin.console.models import Replay
from queueadmin.console.operations import MAX_MINUTES
from queueadmin.console.policies import MOST_COUNT, MOST_DAYS
from queueadmin.console.replays import Tuning
from queueadmin.console.replays import options as replay_options
from queueadmin.console.vendors import VENDORS

#: Rows of one page of a list; a selection is never more.
MAX_SELECTED: Final = 500


def mistakes(*checked: forms.Form) -> str:
    """What is wrong with what was typed, as one text; "" when nothing is."""
    return " ".join(str(each) for form in checked for told in form.errors.values() for each in told)


def _reason(*, required: bool = False) -> forms.CharField:
    """Why something is done, for the audit log."""
    return forms.CharField(
        required=required,
        max_length=500,
        error_messages={"required": "Say why.", "max_length": "A reason has at most 500 characters."},
    )


class LoginForm(AuthenticationForm):
    error_messages = {  # noqa: RUF012 - Django's own shape
        "invalid_login": "Name and password do not fit together. Both are case-sensitive.",
        "inactive": "This account is switched off.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "Name"
        if self.data.get("username"):  # it was the password that did not fit
            self.fields["username"].widget.attrs.pop("autofocus")
            self.fields["password"].widget.attrs["autofocus"] = True


class PasswordForm(PasswordChangeForm):
    """Without a focus of its own: whoever comes for the rest of the page keeps the keys that go elsewhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs.pop("autofocus")


class SelectionForm(forms.Form):
    """The jobs somebody ticked: `ids` as `job_address` writes them, at least one, at most MAX_SELECTED."""

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        self._sent = data.getlist("ids")

    def clean(self) -> dict[str, Any]:
        if not self._sent:
            raise ValidationError("No job was selected.")
        if len(self._sent) > MAX_SELECTED:
            raise ValidationError(f"At most {MAX_SELECTED} jobs can be selected at once, not {len(self._sent)}.")
        ids = []
        for sent in self._sent:
            try:
                ids.append(job_id_of(sent))
            except ValueError as error:
                raise ValidationError(str(error)) from error
            if address(ids[-1]) != sent:
                raise ValidationError(f"“{sent[:100]}” is not a job id.")
        return {"ids": list(dict.fromkeys(ids))}


class ChosenForm(forms.Form):
    """What is said beside a selection: why, and for a move the queue that it goes to."""

    reason = _reason()
    to = forms.ChoiceField(required=False, choices=lambda: [(name, name) for name in settings.PRIORITIES])


#: A moment as pages write it into their forms.
_AT: Final = ["%Y-%m-%dT%H:%M:%S.%f%z"]


class MatchingForm(forms.Form):
    """What is done with all jobs that matched a filter at an instant."""

    filter = forms.CharField(required=False, max_length=2_000)
    at = forms.DateTimeField(input_formats=_AT)
    #: As far as the page had counted.
    places = forms.IntegerField(min_value=0, max_value=2 * job_lists.MOST_LOOKED_AT)
    verb = forms.ChoiceField(choices=lambda: [(verb, verb) for verb in BULK])
    reason = _reason()
    to = forms.ChoiceField(required=False, choices=lambda: [(name, name) for name in settings.PRIORITIES])


class ReplayForm(forms.Form):
    """What is replayed, how fast, and what stops it; `options` are the checked ones."""

    #: As the ramp is sent, and its words.
    RAMPS: ClassVar = (
        ("1,5,20,100", "1, 5, 20, then 100 a second"),
        ("1,5", "1, then 5 a second"),
        ("1,5,20,100,0", "1, 5, 20, 100, then as fast as it goes"),
        ("0", "as fast as it goes"),
    )

    filter = forms.CharField(required=False, max_length=2_000)
    kind = forms.ChoiceField(choices=Replay.Kind.choices, initial=Replay.Kind.RETRY)
    to = forms.ChoiceField(required=False, choices=lambda: [("", ""), *((name, name) for name in settings.PRIORITIES)])
    include_poison = forms.BooleanField(required=False)
    include_permanent = forms.BooleanField(required=False)
    canary = forms.IntegerField(min_value=0, max_value=replay_options.MOST_CANARY, initial=10)
    ramp = forms.ChoiceField(choices=RAMPS, initial=RAMPS[0][0])
    step_seconds = forms.IntegerField(min_value=1, max_value=replay_options.MOST_STEP_SECONDS, initial=30)
    #: Empty: never.
    stop_percent = forms.IntegerField(required=False, min_value=0, max_value=100, initial=5)
    #: 0: never.
    stop_new_errors = forms.IntegerField(min_value=0, max_value=replay_options.MOST_NEW_ERRORS, initial=1)
    stop_wait = forms.BooleanField(required=False, initial=True)
    reason = _reason()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        if cleaned["kind"] == Replay.Kind.RESTORE:
            cleaned |= {"to": "", "include_poison": False, "include_permanent": False}
        percent = cleaned["stop_percent"]
        cleaned["options"] = replay_options.Options(
            canary=cleaned["canary"],
            ramp=tuple(map(int, cleaned["ramp"].split(","))),
            step_seconds=cleaned["step_seconds"],
            stop_percent=replay_options.share(percent),
            stop_new_errors=cleaned["stop_new_errors"],
            stop_wait=cleaned["stop_wait"],
        )
        return cleaned


class PaceForm(forms.Form):
    """The rate of a replay from now on: jobs a second, or 0 for as fast as it goes."""

    rate = forms.IntegerField(min_value=0, max_value=replay_options.MOST_RATE)


class TuneForm(forms.Form):
    """The pace of a replay from now on, and what stops it; `tuning` is the checked one."""

    #: "": as it was to be.
    ramp = forms.RegexField(r"^\d{1,5}( *, *\d{1,5}){0,9}$", required=False, max_length=100,
                            error_messages={"invalid": "Rates with commas between: 5, 20, 0."})  # fmt: skip
    step_seconds = forms.IntegerField(min_value=1, max_value=replay_options.MOST_STEP_SECONDS)
    #: Empty, or 100: never.
    stop_percent = forms.IntegerField(required=False, min_value=0, max_value=100)
    #: 0: never.
    stop_new_errors = forms.IntegerField(min_value=0, max_value=replay_options.MOST_NEW_ERRORS)
    stop_wait = forms.BooleanField(required=False)
    reason = _reason()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        percent, ramp = cleaned["stop_percent"], cleaned["ramp"]
        try:
            cleaned["tuning"] = Tuning(
                ramp=tuple(map(int, ramp.split(","))) if ramp else None,
                step_seconds=cleaned["step_seconds"],
                stop_percent=replay_options.share(percent),
                stop_new_errors=cleaned["stop_new_errors"],
                stop_wait=cleaned["stop_wait"],
            )
        except replay_options.BadOption as error:
            self.add_error(error.field, str(error))
        return cleaned


class MoveForm(forms.Form):
    """The queue that a job goes to; `retry` for a dead letter."""

    to = forms.ChoiceField(choices=lambda: [(name, name) for name in settings.PRIORITIES])
    retry = forms.BooleanField(required=False)


class EditForm(forms.Form):
    """An edited event, the digest of the one that it was made from, and how far the edit is."""

    event = forms.CharField(max_length=4 * 1024 * 1024, strip=False, error_messages={"required": "There is no event."})
    of = forms.CharField(max_length=64)
    step = forms.ChoiceField(required=False, choices=[("", ""), ("edit", ""), ("compare", ""), ("sure", "")])
    reason = _reason()


class PauseForm(forms.Form):
    """For how many minutes; nothing: until somebody resumes it."""

    minutes = forms.FloatField(required=False, min_value=0.01, max_value=MAX_MINUTES)
    reason = _reason()


class ReasonForm(forms.Form):
    """Why it is done."""

    reason = _reason()


class PolicyForm(forms.Form):
    """How long dead letters are kept; without days and count nothing is asked yet."""

    group = forms.CharField(required=False, max_length=12)
    keep_days = forms.IntegerField(required=False, min_value=1, max_value=MOST_DAYS)
    keep_count = forms.IntegerField(required=False, min_value=1, max_value=MOST_COUNT)
    reason = _reason()


class PurgeForm(forms.Form):
    """What is deleted for good is named, and why."""

    typed = forms.CharField(max_length=100, error_messages={"required": "Type the name of the queue."})
    reason = _reason(required=True)
    #: When the page counted, by Redis' clock.
    at = forms.DateTimeField(input_formats=_AT, error_messages={"required": "Open the page anew."})


class UnderstoodForm(forms.Form):
    """Which loss of Redis somebody has understood."""

    loss = forms.IntegerField(min_value=1, max_value=2**63 - 1)


class DeadLettersForm(forms.Form):
    """Which dead letters: of one queue or of all, from a place in the list on."""

    queue = forms.ChoiceField(required=False, choices=lambda: [(name, name) for name in settings.PRIORITIES])
    cursor = forms.CharField(required=False, max_length=4000)


class KeyForm(forms.Form):
    """A new key. What breaks a rule of its own is said by the keyring."""

    name = forms.CharField(max_length=keyring.NAME_LENGTH, strip=True)
    scopes = forms.MultipleChoiceField(choices=[(scope, scope) for scope in SCOPES], initial=["ingest"])
    source = forms.CharField(required=False, max_length=255)
    tenant = forms.CharField(required=False, max_length=255)
    max_priority = forms.ChoiceField(
        required=False, choices=lambda: [("", "as they say"), *((name, name) for name in settings.PRIORITIES)]
    )
    rate = forms.FloatField(required=False, min_value=keyring.MIN_RATE, max_value=keyring.MAX_RATE)
    days = forms.IntegerField(required=False, min_value=1, max_value=3650)


class AddSourceForm(forms.Form):
    """A source that will send, and the key that it gets."""

    vendor = forms.ChoiceField(choices=[(vendor.id, vendor.name) for vendor in VENDORS], initial=VENDORS[0].id)
    #: Empty: the vendor's own name.
    source = forms.CharField(max_length=keyring.NAME_LENGTH, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned.get("source") and "vendor" in cleaned and "source" not in self.errors:
            if cleaned["vendor"] == VENDORS[0].id:
                self.add_error("source", "Give the source a name.")
            cleaned["source"] = cleaned["vendor"]
        return cleaned


class FieldsOfForm(forms.Form):
    """Whose bodies: of a source, and of one key where it is named."""

    source = forms.CharField(max_length=mappings.SOURCE_LENGTH)
    key = forms.IntegerField(required=False)


class FieldsForm(FieldsOfForm):
    """Where the generic hook finds an event's fields: a line each, `title = event.what`."""

    fields_text = forms.CharField(max_length=20_000)

    def clean_fields_text(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, line in enumerate(self.cleaned_data["fields_text"].splitlines(), 1):
            name, equals, path = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not equals or not name or not path:
                raise forms.ValidationError(f"Line {number} must be a field, =, and its path: title = event.what")
            if name in found:
                raise forms.ValidationError(f"Line {number}: {name} stands twice.")
            found[name] = path
        return found


class SeverityForm(forms.Form):
    """What a severity of a source is from now on. What breaks a rule of its own is said by the mappings."""

    source = forms.CharField(required=False, max_length=255)
    word = forms.CharField(max_length=100)
    priority = forms.ChoiceField(choices=lambda: [(name, name) for name in settings.PRIORITIES])


class ScheduleForm(forms.Form):
    """An event that is sent again and again. What breaks a rule of its own is said by `ingest.schedules`."""

    name = forms.CharField(max_length=100)
    kind = forms.ChoiceField(choices=lambda: [(kind.name, kind.name) for kind in KINDS.values() if not kind.internal])
    cron = forms.CharField(required=False, max_length=200)
    interval_seconds = forms.IntegerField(required=False, min_value=1, max_value=LONGEST_INTERVAL)
    timezone = forms.CharField(required=False, max_length=64)
    source = forms.CharField(required=False, max_length=255)
    tenant = forms.CharField(required=False, max_length=255)
    priority = forms.ChoiceField(choices=lambda: [(name, name) for name in settings.PRIORITIES], initial="medium")
    body = forms.CharField(required=False, max_length=262_144, initial="{}")
    catch_up = forms.ChoiceField(choices=Schedule.CatchUp.choices, initial=Schedule.CatchUp.SKIP)

    def clean_timezone(self) -> str:
        return self.cleaned_data["timezone"] or "UTC"


class PreviewForm(forms.Form):
    """When a schedule that is being written would be due."""

    cron = forms.CharField(required=False, max_length=200)
    interval_seconds = forms.IntegerField(required=False, min_value=1, max_value=LONGEST_INTERVAL)
    timezone = forms.CharField(required=False, max_length=64)


class RotateForm(forms.Form):
    """For how long the old secret stays good."""

    minutes = forms.FloatField(min_value=0, max_value=keyring.MAX_ROTATE_MINUTES)
