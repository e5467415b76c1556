from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from modelserve.pipelines.definition.places import DefinitionError
from modelserve.pipelines.definition.reading import find_definition, parse_pipeline, read_pipeline

EXAMPLES = sorted((Path(__file__).parents[4] / "examples").iterdir())

HEAD = """\
apiVersion: modelserve.dev/v1alpha1
kind: Pipeline
metadata: {name: p}
spec:
  inputs:
    text: {type: string}
    texts: {type: "string[]"}
    count: {type: integer, default: 3}
    photo: {type: bytes}
  models:
    tagger: {url: http://m, inputs: {text: "string[]"}, outputs: {entities: "string[]"}}
    free: {url: http://m}
"""


def mistakes(text: str) -> list[str]:
    """Of a whole definition, or of one that goes on after ``HEAD`` on line 13."""
    with pytest.raises(DefinitionError) as told:
        parse_pipeline(text if "apiVersion" in text else HEAD + text, "p.yaml")
    assert str(told.value) == "\n".join(f"p.yaml:{one}" for one in told.value.mistakes)
    return [str(one) for one in told.value.mistakes]


def step(fields: str, output: str = "steps.s.output") -> str:
    """A definition whose one step has these fields, each on a line from line 15 on, after its name."""
    lines = [f"      {line}" for line in fields.splitlines()]
    return "\n".join(["  steps:", "    - name: s", *lines, f"  output: {output}"])


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_examples_have_no_mistake(folder: Path) -> None:
    assert read_pipeline(find_definition(folder)).metadata.name == folder.name


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("model: nobody", "15:14: model nobody is unknown; spec.models has tagger, free"),
        ("ensemble: [free, nobody]", "15:24: model nobody is unknown; spec.models has tagger, free"),
        (
            "model: free\nfallback: {model: nobody}",
            "16:25: model nobody is unknown; spec.models has tagger, free",
        ),
        (
            "function: nothing",
            "15:17: there is no function nothing; there are count_entities, gather_entities, redact",
        ),
        ("model: free\nneeds: [s, t]", "16:18: step t is unknown; there are s"),
        (
            "model: free\ninputs: {x: inputs.nothing}",
            "16:19: 'inputs.nothing': input nothing is unknown; there are text",
        ),
        (
            "model: free\ninputs: {x: steps.t.output}",
            "16:19: 'steps.t.output': step t is unknown; there are s",
        ),
        ("model: free\ninputs: {x: steps.*.output}", "16:19: 'steps.*.output': steps has a name behind it"),
        (
            "model: free\nwhen: '!inputs.text'",
            "16:13: '!inputs.text': text is looked for in boolean, which has no names; what is",
        ),
        ("model: free\nwhen: '!steps.s.output'", "16:13: '!steps.s.output': steps has a name behind it"),
        ("model: free\ninputs: {x: '@'}", "16:19: '@': @ is nothing to look at"),
        (
            "model: free\ninputs: {x: text}",
            "16:19: 'text': text is nothing to look at; a run has inputs and steps",
        ),
        (
            "model: free\ninputs: {x: item}",
            "16:19: 'item': item is nothing to look at; a run has inputs and steps, and",
        ),
        ("model: free\nforEach: item", "16:16: 'item': item is nothing to look at"),
        ("model: free\nforEach: inputs.texts\nwhen: index", "17:13: 'index': index is nothing to look at"),
        (
            "model: free\ninputs:\n  x: lenght(inputs.text)",
            "17:12: 'lenght(inputs.text)': there is no function lenght",
        ),
        ("model: free\ninputs: {x: 'length()'}", "16:19: 'length()': length takes 1 argument, not 0"),
        (
            "model: free\ninputs: {x: 'join(inputs.text)'}",
            "16:19: 'join(inputs.text)': join takes 2 arguments, not 1",
        ),
        ("model: free\ninputs: {x: inputs.text .}", "16:31: 'inputs.text .' is no expression"),
        ("model: free\ninputs: {x: 'inputs.a-b'}", "16:28: 'inputs.a-b' is no expression"),
        ("model: free\ninputs: {x: ''}", "16:19: an empty text is no expression"),
        ("model: tagger\ninputs: {txt: inputs.text}", "16:16: input txt is unknown; accepted are text"),
        ("model: tagger\ninputs: {text: inputs.count}", "16:22: input text is integer; string[] is accepted"),
        ("model: tagger\ninputs: {text: inputs.photo}", "16:22: input text is bytes; string[] is accepted"),
        (
            "model: tagger\ninputs: {text: [[inputs.text]]}",
            "16:22: input text is string[][]; string[] is accepted",
        ),
        ("model: free\nforEach: inputs.count", "16:16: forEach is integer; a list is accepted"),
        (
            "model: tagger\nforEach: inputs.texts\ninputs: {text: index}",
            "17:22: input text is integer; string[]",
        ),
        ("model: free\nparameters: {x: inputs.text.y}", "16:23: 'inputs.text.y': y is looked for in string"),
        ("model: free\nfallback: {value: [inputs.text.y]}", "16:26: 'inputs.text.y': y is looked for in"),
        ("ensemble: [free, free]", "15:24: model free is there twice"),
        (
            "ensemble: [free, tagger]\ninputs: {x: inputs.text}",
            "16:16: input x is unknown to model tagger; accepted are text",
        ),
        (
            "model: free\nfallback: {model: tagger}\ninputs: {text: inputs.photo}",
            "17:22: input text is bytes; string[] is accepted by model tagger",
        ),
        (
            "model: free\ninputs: {x: '&inputs.text'}",
            "16:19: '&inputs.text': & is for functions that take an",
        ),
        ("model: free\ninputs: {x: 'length(&inputs.text)'}", "16:19: 'length(&inputs.text)': & is for"),
        ("model: free\nparameters: {x: .nan}", "16:23: no JSON: .nan is no number"),
        ('model: "\\ud800"', "15:14: half a character"),
        ('"\\ud800": free', "15:7: a key with half a character"),
        ("<<: {model: free}", "15:7: << is not accepted; an alias for a whole value is"),
        ("model: free\nretry: 3", "16:14: retry: fields and their values are accepted"),
        (
            "model: free\nforEach: inputs.texts\ninputs: {x: item.name}",
            "17:19: 'item.name': name is looked for in string",
        ),
        ("function: redact\ninputs: {texts: inputs.texts}", "14:7: step s lacks input entities, object[][]"),
        (
            "function: redact\ninputs: {texts: inputs.texts, entities: inputs.texts}",
            "16:47: input entities is string[]",
        ),
        (
            "model: free\nmodels: x",
            "16:7: models is unknown here; accepted are name, model, ensemble, function, inputs",
        ),
        (
            "model: free\nretry: {limits: 3}",
            "16:15: limits is unknown here; accepted are limit, initialSeconds, factor",
        ),
        ("model: free\nretry: {limit: 101}", "16:22: limit: Input should be less than or equal to 100"),
        ("model: free\nfallback: {}", "16:17: fallback: one of model and value is needed"),
        ("model: free\nfunction: redact", "14:7: steps[0]: one of model, ensemble and function is needed"),
        ("function: redact\nparameters: {x: 1}", "14:7: steps[0]: a function has inputs and no parameters"),
        ("model: free\nonFailure: ignore", "16:18: onFailure: Input should be 'fail' or 'continue'"),
        (
            "model: true",
            "15:14: model: Input should be a valid string; YAML reads some words as true, false or null",
        ),
    ],
)
def test_a_mistake_in_a_step_is_told_where_it_is(fields: str, said: str) -> None:
    told = mistakes(step(fields))
    assert any(one.startswith(said) for one in told), told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  output: x\n", "5:3: steps is missing"),
        ("  steps: []\n  output: x\n", "13:10: steps: List should have at least 1 item"),
        (step("model: free", "steps.s.out"), "16:11: 'steps.s.out': out is nothing that a step has"),
        (
            step("model: tagger", "steps.s.output.label"),
            "16:11: 'steps.s.output.label': label is none of entities",
        ),
        (step("model: free", "{a: {b: [steps.t.output]}}"), "16:20: 'steps.t.output': step t is unknown"),
        ("", "1:1: no YAML"),
        ("apiVersion: x\n", "1:13: apiVersion: Input should be 'modelserve.dev/v1alpha1'"),
        ("apiVersion: a\nkind: b\nkind: c\n", "3:1: kind is there twice"),
        ("apiVersion: a\n1: b\n", "2:1: a key that is no text"),
        ("apiVersion: !!python/object:os.system {}\n", "1:13: no JSON: could not determine a constructor"),
        ("apiVersion: [\n", "2:1: no YAML"),
        ("apiVersion: a\n---\nkind: b\n", "3:1: a second document; one Pipeline is accepted"),
        ("apiVersion: &a [*a]\n", "too large"),
        (
            "apiVersion: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n"
            + "".join(
                f"{two}: &{two} [{', '.join([f'*{one}'] * 8)}]\n"
                for one, two in zip("bcdefgh", "cdefghi", strict=True)
            ),
            "too large",
        ),
    ],
)
def test_a_mistake_anywhere_is_told_where_it_is(text: str, said: str) -> None:
    told = mistakes(text) if text else [str(one) for one in _empty()]
    assert any(said in one for one in told), told


def _empty() -> list[object]:
    with pytest.raises(DefinitionError) as told:
        parse_pipeline("", "p.yaml")
    assert "empty" in str(told.value)
    return ["1:1: no YAML"]


def test_all_mistakes_are_told_at_once() -> None:
    text = step("model: nobody\ninputs: {x: inputs.y, z: steps.t.output}\nneeds: [q]", "steps.w.output")
    assert len(mistakes(text)) == 5


def test_mistakes_of_models_and_of_steps_are_told_together() -> None:
    text = HEAD.replace("free: {url: http://m}", "free: {inProcess: {predictor: nobody, modelDir: m}}")
    told = mistakes(text.replace("default: 3", "default: three") + step("model: free\nneeds: [s]"))
    assert [one.partition(" ")[0] for one in told] == ["8:37:", "12:35:", "14:13:"]
    assert "predictor nobody is unknown; one of bert_ner, resnet_classifier is accepted" in told[1]


@pytest.mark.parametrize(
    "fields",
    [
        "model: tagger\ninputs: {text: inputs.text}",
        "model: tagger\ninputs: {text: 'inputs.texts[0]'}",
        "model: tagger\ninputs: {text: 'map(&to_string(@), inputs.texts)'}",
        "model: tagger\ninputs: {text: 'inputs.texts || inputs.count'}",
        "model: tagger\ninputs: {text: 'max(inputs.texts)'}",
        "model: counter\ninputs: {count: inputs.count, share: inputs.count}",
        "model: counter\ninputs: {count: 'ceil(avg(inputs.counts))', share: 'avg(inputs.counts)'}",
        "model: counter\ninputs: {count: 'sum(inputs.counts)', share: 'abs(inputs.count)'}",
        "model: counter\ninputs: {count: 'abs(inputs.count)', share: 3}",
        "model: counter\ninputs: {count: \"to_number('3')\"}",
        "model: tagger\nforEach: inputs.counts\ninputs: {text: to_string(item)}",
        "model: tagger\nfallback: {value: {label: [inputs.text]}}\ninputs: {text: inputs.text}",
        "ensemble: [tagger, free]\nfallback: {model: free}\ninputs: {text: inputs.text}",
        "function: redact\ninputs: {texts: inputs.texts, entities: inputs.things}",
        "model: &m free\nfallback: {model: *m}",
    ],
)
def test_what_may_fit_is_no_mistake(fields: str) -> None:
    head = HEAD.replace(
        "  models:\n",
        '    counts: {type: "integer[]"}\n    things: {}\n  models:\n'
        "    counter: {url: http://m, inputs: {count: integer, share: number}}\n",
    )
    assert parse_pipeline(head + step(fields), "p.yaml")


def test_a_fallback_models_answer_may_be_looked_at_too() -> None:
    other = HEAD + "    other: {url: http://m, outputs: {label: string, entities: number}}\n"
    fields = "model: tagger\ninputs: {text: inputs.text}\nfallback: {model: other}"
    for output in ("label", "entities", "entities[0]", "entities.anything"):
        assert parse_pipeline(other + step(fields, f"steps.s.output.{output}"), "p.yaml")
    with pytest.raises(DefinitionError, match="score is none of label, entities"):
        parse_pipeline(other + step(fields, "steps.s.output.score"), "p.yaml")


def test_a_cycle_is_told_by_its_steps() -> None:
    text = """\
  steps:
    - {name: a, model: free, inputs: {x: steps.c.output}}
    - {name: b, model: free, needs: [a]}
    - {name: c, model: free, fallback: {value: steps.b.output}}
  output: steps.a.output
"""
    (told,) = mistakes(text)
    assert "these steps wait for each other: " in told
    assert told.rpartition(": ")[2] in ("a -> c -> b -> a", "b -> a -> c -> b", "c -> b -> a -> c")


def test_names_of_fields_within_a_filter_are_not_the_runs() -> None:
    text = step("model: free\ninputs: {x: \"inputs.things[?name == 'x'].steps\"}")
    assert parse_pipeline(
        HEAD.replace("  models:", "    things: {type: 'object[]'}\n  models:") + text, "p.yaml"
    )


def test_a_folder_means_its_definition(tmp_path: Path) -> None:
    assert find_definition(tmp_path) == tmp_path / "pipeline.yaml"
    with pytest.raises(DefinitionError, match="cannot be read: No such file"):
        read_pipeline(tmp_path / "pipeline.yaml")
    (tmp_path / "pipeline.yaml").write_bytes(b"\xff")
    with pytest.raises(DefinitionError, match="no text in UTF-8"):
        read_pipeline(tmp_path / "pipeline.yaml")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), json_values.map(yaml.safe_dump)))
def test_whatever_a_file_has_is_told_as_a_mistake(text: str) -> None:
    with pytest.raises(DefinitionError):
        parse_pipeline(text, "p.yaml")


EXAMPLE = yaml.safe_load((EXAMPLES[0] / "pipeline.yaml").read_text())


@settings(deadline=None)
@given(st.data())
def test_a_definition_with_a_part_of_something_else_is_read_or_refused(data: st.DataObject) -> None:
    made = yaml.safe_load(yaml.safe_dump(EXAMPLE))
    whole = made
    while True:
        keys = list(whole) if isinstance(whole, dict) else list(range(len(whole)))
        key = data.draw(st.sampled_from(keys))
        if not whole[key] or not isinstance(whole[key], dict | list) or data.draw(st.booleans()):
            whole[key] = data.draw(json_values)
            break
        whole = whole[key]
    with suppress(DefinitionError):
        parse_pipeline(yaml.safe_dump(made), "p.yaml")


def test_the_definition_in_the_documents_has_no_mistake() -> None:
    page = (Path(__file__).parents[4] / "docs" / "pipelines" / "README.md").read_text("utf-8")
    (definition,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(parse_pipeline(definition, "README.md").spec.steps) == 2
