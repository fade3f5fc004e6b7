"""What those who publish a model say of it themselves: `about.yaml`, in its folder or named."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmser.errors import UsageError
from mmser.yaml_files import first_of, problem_of, read_yaml

ABOUT = "about.yaml"
Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class About(BaseModel):
    """What no file of a training tells; all of it may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: Annotated[str, Field(pattern=r"^[^\x00-\x1f]*[^\W_][^\x00-\x1f]*$", max_length=100)] | None = None
    description: Text | None = None  # a paragraph at the beginning of the card
    authors: list[Text] = []
    base_models: list[
        Annotated[str, Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")]
    ] = []  # Hub ids of the encoders that it was begun with
    intended_use: list[Text] = []  # beside what is said of every model
    limits: list[Text] = []
    training: Text | None = None  # how it was trained, where training_run.json does not say
    energy_kwh: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None  # measured by you
    citation: Annotated[str, Field(pattern=r"^[^`]+$", max_length=20_000)] | None = None  # BibTeX


def read_about(path: Path) -> About:
    """Return what a file says.

    Raises:
        UsageError: if it cannot be read, or holds what is not known.
    """
    values = read_yaml(path, "what is said of the model", UsageError)
    values = {} if values is None else values
    try:
        return About.model_validate(values)
    except ValidationError as error:
        first = first_of(error)
        where = ".".join(str(step) for step in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageError(
                f"{path} holds {where!r}, which is not known; known are {', '.join(About.model_fields)}"
            ) from error
        raise UsageError(f"{path}: {where}{problem_of([first])}") from error
