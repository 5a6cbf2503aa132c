"""Helpers that several test files share, one module per idea."""

import pytest

pytest.register_assert_rewrite("helpers.engines_agree", "helpers.errors", "helpers.inside", "helpers.probes")
