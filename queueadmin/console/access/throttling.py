"""How many wrong passwords are too many: for a name from an address, for a name, and from an address."""

from datetime import timedelta
from typing import Any, Final

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt, AccessLog
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone

#: Failures within AXES_COOLOFF_TIME, of one name from all addresses, and from one address for all names. So many that
#: an office behind one address does not lock itself out; 4,800 guesses a day of a password of ten characters.
MOST: Final = 50
#: Somebody who signed in from an address within so long is not locked out there by guesses of others elsewhere: who
#: knows the name of the one on call could else keep them out for as long as they like.
KNOWN: Final = timedelta(days=30)


class Handler(AxesDatabaseHandler):  # type: ignore[misc] # untyped
    """What AXES_LOCKOUT_PARAMETERS and AXES_FAILURE_LIMIT say of name and address together, and MOST of each alone."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        if super().is_locked(request, credentials):
            return True
        name, address = get_client_username(request, credentials), request.axes_ip_address  # type: ignore[attr-defined]
        recent = AccessAttempt.objects.filter(attempt_time__gte=get_cool_off_threshold(request))
        of_name = recent.filter(username=name).aggregate(Sum("failures_since_start", default=0))
        of_address = recent.filter(ip_address=address).aggregate(Sum("failures_since_start", default=0))
        if max(*of_name.values(), *of_address.values()) < MOST:
            return False
        known = AccessLog.objects.filter(username=name, ip_address=address, attempt_time__gte=timezone.now() - KNOWN)
        return not known.exists()
