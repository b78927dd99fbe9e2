"""What the commands ask a task for."""
import abc

import settings as all_settings
from support.errors import InputError


class Task(abc.ABC):
    """What one task is, and how it is done. Its subclasses say what they do otherwise.

    Attributes
    ----------
    name : of the folders below checkpoints/ and tensorboard/ of a result folder, as upstream has them.
    program, description : the file that runs it, and what that is for.
    commands : the commands that apply, in the order of `--help`.
    labels : names of the labels, in the order of the classifier's outputs.
    recipes : {name: settings.Settings}; "paper" is the default.
    foreign : settings that are another task's.
    corpus, result : the default folders.
    writes : what `test` writes besides predictions and scores, in words.
    has_documents : whether `test` can write its predictions as whole documents, which hold text (`--with-text`).
    """

    name = program = description = corpus = result = writes = None
    commands = ("check", "train", "test", "export", "compare")
    labels, foreign = (), ()
    recipes = {}
    has_documents = False

    # ------------------------------------------------------------------------------------------------------ settings

    def settings_for(self, recipe, assignments=(), seed=None, base=None):
        """The settings of a run; parameters and errors as `settings.settings_for`, and an InputError for another task's."""
        for assignment in assignments:
            key = assignment.partition("=")[0]
            if key in self.foreign:
                raise InputError(f"--set {assignment}: {self.program} does not read the setting {key}; leave it out.")
        chosen = all_settings.settings_for(recipe, assignments, seed, base, self.recipes)
        self.check_settings(chosen)
        return chosen

    def check_settings(self, settings):
        """Raise an InputError for a setting's value that this task does not have."""

    def own(self, settings):
        """The settings that this task reads, for run.json: dict."""
        return {key: value for key, value in settings._asdict().items() if key not in self.foreign}

    @property
    def no_model(self):
        """What helps where there is no trained model, as sentences."""
        demo = f" `python3 {self.program} demo` shows both steps now." if "demo" in self.commands else ""
        return f"`python3 {self.program} train` makes it, or name the folder of another run with --result DIR.{demo}"

    # -------------------------------------------------------------------------------------------------------- corpus

    @abc.abstractmethod
    def corpus_folder(self, root, settings):
        """The folder of a corpus, with every path in it.

        It has `root`; `features`, the folder for their cache; and `outputs(result)`, the folders that commands make in it for a run
        in a paths.ResultFolder.
        """

    @abc.abstractmethod
    def check_corpus_folder(self, folder):
        """Raise an InputError that says what a corpus folder lacks, if it lacks anything."""

    @abc.abstractmethod
    def read_corpus(self, folder, settings, write=True):
        """Read a corpus and print a line on each split; `write`: also the files of examples beside it.

        Returns
        -------
        inputs.reading.Corpus

        Raises
        ------
        InputError : it is unusable.
        """

    @abc.abstractmethod
    def profile(self, corpus):
        """What the training and the test documents of an inputs.reading.Corpus hold: {"train": {what: int}, "test": ...}."""

    @abc.abstractmethod
    def tell_profile(self, corpus, counted):
        """Print what `check` tells of a corpus, an inputs.reading.Corpus, and its profile."""

    # ---------------------------------------------------------------------------------------------------- evaluation

    @abc.abstractmethod
    def table(self, settings):
        """The kind of evaluation.predictions.Table of a run with these settings, a dict such as run.json has."""

    @abc.abstractmethod
    def scores(self, corpus, log_probabilities, settings):
        """What scores.json (a dict) and scores.txt hold for predictions on the test examples.

        corpus : inputs.reading.Corpus
        log_probabilities : float [examples, labels]
        """

    @abc.abstractmethod
    def make_report(self, result, corpus, record, table, scores, head):
        """The report of a test, and its plots: (HTML, {name: PNG}).

        Parameters
        ----------
        result : paths.ResultFolder
        corpus : inputs.reading.Corpus
        record : what run.json holds, from results.as_tested.
        table : evaluation.predictions.Table
        scores : what scores.json holds.
        head : evaluation.headline.Headline
        """

    def write_documents(self, result, corpus, table, with_text, names):
        """Write the predictions as documents, where the task `has_documents`; returns the folders.

        Parameters
        ----------
        result, corpus, table : as for `make_report`.
        with_text : whether whole documents are wanted, too.
        names : {folder's name: names of the files} that an earlier test wrote; brought up to date.
        """
        return []
