"""The types of the TLINKs of i2b2 2012, and of any corpus in its layout."""
import os

import data_process_i2b2
import scoring
from evaluation import predictions, report, system_xml, tlink_scores
from inputs import profile, reading
from inputs.labels import LABELS
from settings import RECIPES
from support import paths
from support.console import say
from support.errors import InputError
from tasks.task import Task


class I2B2Task(Task):
    """See Task."""

    name, program = "i2b2", "run_i2b2.py"
    description = "BERT-CNN for the temporal relations of i2b2 2012."
    commands = ("check", "train", "test", "demo", "predict", "export", "compare")
    labels, recipes, foreign = LABELS, RECIPES, ("negatives",)
    corpus, result = paths.DEFAULT_CORPUS, paths.DEFAULT_RESULT
    writes = "report, figures and system XML"
    has_documents = True

    def check_settings(self, settings):
        """The corpus has no development set."""
        if settings.dev == "development":
            raise InputError("dev=development: i2b2 2012 has no development set; use the share of training documents to hold out, "
                             "for example dev=0.15.")

    def corpus_folder(self, root, settings):
        """See Task."""
        return paths.CorpusFolder(root, settings.test_gold)

    def check_corpus_folder(self, folder):
        """See Task."""
        data_process_i2b2.check_corpus_folder(folder)

    def read_corpus(self, folder, settings, write=True):
        """See Task."""
        return reading.read_corpus(folder, settings, write)

    def profile(self, corpus):
        """See Task."""
        return profile.of_splits(corpus.train, corpus.test)

    def tell_profile(self, corpus, counted):
        """What the corpus holds, beside what is published of i2b2 2012."""
        names = profile.names_of(corpus.train, corpus.test)
        say("")
        say(scoring.format_table(*profile.table(counted, profile.is_i2b2(names))))
        say("")
        for sentence in profile.verdict(counted, names, corpus.folder.test_gold):
            say(f"profile: {sentence}")
        say(f"test gold: {about_test_gold(corpus)}")

    def table(self, settings):
        """See Task."""
        return predictions.Predictions

    def scores(self, corpus, log_probabilities, settings):
        """See Task."""
        found = tlink_scores.score(corpus.test.examples, log_probabilities)
        return found, scoring.format_scores(found)

    def make_report(self, result, corpus, record, table, scores, head):
        """See Task."""
        documents = system_xml.read_documents(corpus.folder.test_xml)
        return report.make_report(result, record, table, scores, list(documents.values()), head)

    def write_documents(self, result, corpus, table, with_text, names):
        """See Task."""
        documents = system_xml.read_documents(corpus.folder.test_xml)
        folders = [("system_xml", result.system_xml)] + [("with_text", corpus.folder.system_xml(result))] * with_text
        for name, folder in folders:
            names[name] = system_xml.write_system_xml(folder, documents, table, with_text=name == "with_text",
                                                      earlier=names.get(name, ()))
        return [folder for _, folder in folders]


def about_test_gold(corpus):
    """A sentence on which test documents are tested on, and which others there are."""
    types = len({example.label for example in corpus.test.examples})
    others = [f"--set test_gold={gold} takes {paths.TEST_GOLD[gold]}, which is there"
              for gold, folder in corpus.folder.all_test_xml.items() if gold != corpus.folder.test_gold and os.path.isdir(folder)]
    return "; ".join([f"{corpus.folder.test_xml}, {types} types of TLINK"] + (others or ["there is no other"]))


I2B2 = I2B2Task()
