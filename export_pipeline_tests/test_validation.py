"""What pydantic finds wrong, told by field and never with a value."""

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from export_pipeline.validation import PROBLEMS_SHOWN, Problem, in_words, problems

SECRET = "s3cret-5b1e"


class Inner(BaseModel):
    sizes: list[int] = []


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    first: int = Field(alias="FIRST")
    inner: Inner = Inner()

    @model_validator(mode="after")
    def _whole(self) -> "Model":
        if self.first < 0:
            raise ValueError("FIRST and the inner one do not fit")
        return self


def wrong(given: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(given)
    return caught.value


def test_each_problem_names_its_field_by_the_whole_path() -> None:
    found = problems(wrong({"FIRST": SECRET, "inner": {"sizes": [1, SECRET]}}), "EXPORT_")
    assert [one.name for one in found] == ["EXPORT_FIRST", "EXPORT_inner"]
    assert found[0].words.startswith("EXPORT_FIRST: Input should be a valid integer")
    assert found[1].words.startswith("EXPORT_inner.sizes.1: Input should be a valid integer")
    assert not any(SECRET in one.words for one in found)


def test_what_is_not_set_says_what_needs_it_where_fields_are_variables() -> None:
    lacking = wrong({})
    assert in_words(lacking) == "FIRST: Field required"
    said = "EXPORT_FIRST is not set: account 'eu' needs it"
    assert in_words(lacking, "EXPORT_", needs="account 'eu'") == said


def test_a_model_that_is_wrong_as_a_whole_speaks_for_itself() -> None:
    words = "FIRST and the inner one do not fit"
    assert problems(wrong({"FIRST": -1})) == [Problem("", words)]


def test_of_many_problems_the_first_are_told_and_the_others_counted() -> None:
    sizes = [SECRET] * (PROBLEMS_SHOWN + 995)
    said = in_words(wrong({"FIRST": 1, "inner": {"sizes": sizes}}))
    assert said.endswith("; and 995 more")
    assert said.count("inner.sizes.") == PROBLEMS_SHOWN
