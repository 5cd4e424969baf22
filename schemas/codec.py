"""JSON of the contracts. Known types go through msgspec; a decoder reads newer fields than it knows and passes them by."""

from __future__ import annotations

import msgspec

from schemas.adoption import Adoption
from schemas.alerts import Alert
from schemas.events import AnyEvent
from schemas.feedback import Feedback
from schemas.patients import PatientPicture

encoder = msgspec.json.Encoder()
encode = encoder.encode
decode_event = msgspec.json.Decoder(AnyEvent).decode
decode_event_or_adoption = msgspec.json.Decoder(AnyEvent | Adoption).decode
decode_alert = msgspec.json.Decoder(Alert).decode
decode_feedback = msgspec.json.Decoder(Feedback).decode
decode_picture = msgspec.json.Decoder(PatientPicture).decode
