"""What every worker process needs, imported once by the process that they are forked from."""

import mmser.batch.judging
import mmser.batch.reading
import mmser.speech  # noqa: F401
