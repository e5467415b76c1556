"""Of Budgets: who is told, and tags."""

from __future__ import annotations

import json

from moto.budgets import urls
from moto.budgets.models import Budget
from moto.budgets.responses import BudgetsResponse


class _Budgets(BudgetsResponse):  # type: ignore[misc]
    def _budget(self) -> Budget:
        return self.backend.budgets[self._get_param("AccountId")][self._get_param("BudgetName")]

    def create_budget(self) -> str:
        answer: str = super().create_budget()
        name = self._get_param("Budget")["BudgetName"]
        budget = self.backend.budgets[self._get_param("AccountId")][name]
        budget.__dict__["tags"] = self._get_param("ResourceTags", [])
        return answer

    def update_budget(self) -> str:
        account, new = self._get_param("AccountId"), self._get_param("NewBudget")
        self.backend.budgets[account][new["BudgetName"]].budget.update(new)
        return json.dumps({})

    def describe_subscribers_for_notification(self) -> str:
        wanted = self._get_param("Notification")
        subscribers = [
            one.subscribers for one in self._budget().notifications if one.details.items() >= wanted.items()
        ]
        return json.dumps({"Subscribers": subscribers[0]})

    def list_tags_for_resource(self) -> str:
        account, _, name = self._get_param("ResourceARN").rpartition(":budget/")
        budget = self.backend.budgets[account.rpartition(":")[2]][name]
        return json.dumps({"ResourceTags": budget.__dict__["tags"]})


def extend() -> None:
    """Have moto's server answer so."""
    for path in urls.url_paths:
        urls.url_paths[path] = _Budgets.dispatch
