"""What the Hub says to a card's metadata: the part of its checks that a publisher can trip over."""

import re
from typing import Any

import yaml

LICENCES = set(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigcode-openrail-m afl-3.0
    artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0
    cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
    cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0
    eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research
    intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0 openrail++
    osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
    fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community
    gemma unknown other
    """.split()  # noqa: SIM905
)
COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
SDKS = ("gradio", "docker", "static", "streamlit")
LISTS = ("tags", "datasets", "metrics", "task_categories", "size_categories", "annotations_creators")
STRINGS = ("library_name", "pipeline_tag", "pretty_name", "title", "license_name", "license_link")


def metadata(card: str) -> dict[str, Any] | None:
    """Return the YAML at a card's head; None where there is none.

    Raises:
        yaml.YAMLError: if it is none.
    """
    found = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", card, re.DOTALL)
    if found is None:
        return None
    loaded = yaml.safe_load(found[1])
    return {} if loaded is None else loaded


def faults(card: str, kind: str) -> tuple[list[str], list[str]]:
    """Return errors and warnings about a card of a model, dataset or space."""
    try:
        found = metadata(card)
    except yaml.YAMLError as error:
        return [f"YAML parsing error: {' '.join(str(error).split())}"], []
    if not found and found is not None and not isinstance(found, dict):
        return ["YAML metadata must be an object"], []
    if not found:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(found, dict):
        return ["YAML metadata must be an object"], []
    wrong = _general(found)
    if kind == "model":
        wrong += _results(found.get("model-index"))
    if kind == "space":
        wrong += _space(found)
    if kind == "dataset":
        wrong += _configs(found.get("configs"))
    return wrong, []


def _general(found: dict[str, Any]) -> list[str]:
    wrong = []
    for licence in listed(found.get("license")):
        if licence not in LICENCES:
            wrong.append('"license" must be one of [' + ", ".join(sorted(LICENCES)[:3]) + ", …]")
    for language in listed(found.get("language")):
        if not isinstance(language, str) or not re.fullmatch(
            r"[a-z]{2,3}(-[A-Za-z0-9]+)*|code|multilingual", language
        ):
            wrong.append('"language" must only contain lowercase characters and be an ISO 639 code')
    for key in LISTS:
        if key in found and not all(isinstance(one, str) for one in listed(found[key])):
            wrong.append(f'"{key}" must be an array of strings')
    for key in STRINGS:
        if key in found and not isinstance(found[key], str):
            wrong.append(f'"{key}" must be a string')
    for name in [*listed(found.get("datasets")), *listed(found.get("base_model"))]:
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(name)):
            wrong.append(f'"{name}" is not a valid repository id')
    if found.get("license") == "other" and "license_name" in found and " " in str(found["license_name"]):
        wrong.append('"license_name" must not contain spaces')
    return wrong


def _results(index: Any) -> list[str]:
    if index is None:
        return []
    if not isinstance(index, list) or not index:
        return ['"model-index" must be an array']
    wrong = []
    for place, model in enumerate(index):
        where = f'"model-index[{place}]'
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            wrong.append(f'{where}.name" is required')
            continue
        if not isinstance(model.get("results"), list):
            wrong.append(f'{where}.results" must be an array')
            continue
        for number, result in enumerate(model["results"]):
            wrong += _result(result, f"{where}.results[{number}]")
    return wrong


def _result(result: Any, where: str) -> list[str]:
    if not isinstance(result, dict):
        return [f'{where}" must be of type object']
    wrong = []
    for part, keys in (("task", ("type",)), ("dataset", ("type", "name"))):
        given = result.get(part)
        missing = [key for key in keys if not isinstance(given, dict) or not isinstance(given.get(key), str)]
        wrong += [f'{where}.{part}.{key}" is required' for key in missing]
    metrics = result.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        return [*wrong, f'{where}.metrics" is required']
    for metric in metrics:
        if (
            not isinstance(metric, dict)
            or not isinstance(metric.get("type"), str)
            or metric.get("value") is None
        ):
            wrong.append(f'{where}.metrics" must each have a type and a value')
    return wrong


def _space(found: dict[str, Any]) -> list[str]:
    wrong = [
        f'"{key}" must be one of {COLOURS}'
        for key in ("colorFrom", "colorTo")
        if found.get(key, "red") not in COLOURS
    ]
    if found.get("sdk") not in SDKS:
        wrong.append(f'"sdk" must be one of {SDKS}')
    if len(str(found.get("short_description", ""))) > 60:
        wrong.append('"short_description" length must be less than or equal to 60 characters long')
    if "sdk_version" in found and not isinstance(found["sdk_version"], str):
        wrong.append('"sdk_version" must be a string')
    return wrong


def _configs(configs: Any) -> list[str]:
    if configs is None:
        return []
    if not isinstance(configs, list):
        return ['"configs" must be an array']
    return [
        '"configs" must each have a config_name'
        for one in configs
        if not isinstance(one, dict) or not one.get("config_name")
    ]


def listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
