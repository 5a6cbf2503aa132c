"""What several test files share, one module per idea."""

import pytest

pytest.register_assert_rewrite("helpers.inside", "helpers.errors", "helpers.probes")
