"""A search space in words."""

from optuna import Trial

from sweeps.search.space_in_words import described


def test_every_key_of_a_conditional_space_is_described_with_the_choice_that_it_hangs_on():
    def space(trial: Trial) -> None:
        if trial.suggest_categorical("optimizer", ["adamw", "sgd", "nadamw"]) == "sgd":
            trial.suggest_float("momentum", 0.5, 0.99)
            trial.suggest_float("lr", 0.01, 1.0, log=True)
        else:
            trial.suggest_float("lr", 1e-5, 1e-2, log=True)

    assert described(space) == {
        "optimizer": "one of adamw, sgd, nadamw",
        "lr": "1e-05 to 0.01 (log) or 0.01 to 1.0 (log)",
        "momentum": "0.5 to 0.99 (only with optimizer=sgd)",
    }
