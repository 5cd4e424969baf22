"""Dosage instructions as people write them: words and numbers to a dose, a frequency and a daily dose.

text → tokens (``knowledge.wording``) → parts (``grammar``) → what they say together (``reading``) → joined with the structured
data (``Instructions``). Pure, and bounded in time by the length of the text. A wrong reading kills and an unread one costs
little, so all of the text must be accounted for: a word that is not known may change everything that stands beside it.
"""

from services.ingest.terminology.instructions.instructions import Instructions
from services.ingest.terminology.instructions.reading import Reading, read

__all__ = ["Instructions", "Reading", "read"]
