"""How the model is fitted: a logistic regression over the features that the system record allows."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

LABEL = "outcome"
NUMBERS = (
    "income",
    "loan_amount",
    "debt_ratio",
    "utilisation",
    "delinquencies",
    "inquiries",
    "open_accounts",
    "history_years",
    "employment_years",
)
CATEGORIES = ("employment", "housing", "loan_purpose", "loan_term_months", "channel", "existing_customer")


def fit(rows: "pd.DataFrame") -> "Pipeline":
    """Fit the model; the same rows give the same model.

    Numbers are brought to a common shape (heavy tails would rule the fit), missing ones replaced by the median;
    categories become indicators, and one that was never seen counts for none of them.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, PowerTransformer

    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), PowerTransformer()), list(NUMBERS)),
            ("categories", OneHotEncoder(handle_unknown="ignore", drop="first"), list(CATEGORIES)),
        ]
    )
    model: Pipeline = make_pipeline(columns, LogisticRegression(max_iter=1_000))
    return model.fit(rows[[*NUMBERS, *CATEGORIES]], rows[LABEL])
