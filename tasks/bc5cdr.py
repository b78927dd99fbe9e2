"""Whether a chemical induces a disease, in the abstracts of BC5CDR."""
import data_process_BC5CDR
import scoring
from evaluation import cdr_report, cdr_scores, predictions
from inputs import reading
from inputs.features import Digest
from settings import Settings
from support import paths
from support.console import say
from support.errors import InputError
from tasks.task import Task

# What the files as distributed hold; the relations are those of Li et al. 2016.
PUBLISHED = {"train": {"abstracts": 500, "relations": 1038}, "dev": {"abstracts": 500, "relations": 1012},
             "test": {"abstracts": cdr_report.TEST_DOCUMENTS, "relations": cdr_report.TEST_RELATIONS}}
TITLES = {"train": "training", "dev": "development", "test": "test"}

# Of the negatives that are drawn. It is not the run's seed: runs of several seeds must be tested on the same examples.
SAMPLING_SEED = 0


class BC5CDRTask(Task):
    """See Task."""

    name, program = "BC5CDR", "run_BC5CDR.py"
    description = "BERT-CNN for the chemical-disease relations of BC5CDR."
    labels = data_process_BC5CDR.LABELS
    # The paper's settings; what is not named is as for i2b2.
    recipes = {"paper": Settings(seq_length=170, batch_size=32, eval_batch_size=32, dev="development")}
    # Those of XML with marked mentions, which the views around mentions need.
    foreign = ("entities", "test_gold", "context", "headings", "markers", "marker_states", "marker_layers", "mention_types")
    corpus, result = paths.BC5CDRFolder.DEFAULT, paths.BC5CDR_RESULT
    writes = "report and figures"

    def corpus_folder(self, root, settings):
        """See Task."""
        return paths.BC5CDRFolder(root)

    def check_corpus_folder(self, folder):
        """See Task."""
        data_process_BC5CDR.check_corpus_folder(folder)

    def read_corpus(self, folder, settings, write=True):
        """See Task."""
        xml = (("train", folder.train_xml), ("dev", folder.dev_xml), ("test", folder.test_xml))
        if write:
            splits = data_process_BC5CDR.process_corpus(folder, SAMPLING_SEED, settings.negatives)
        else:
            splits = [data_process_BC5CDR.read_split(path, SAMPLING_SEED, settings.negatives) for _, path in xml]
            for (name, _), split in zip(xml, splits):
                say(data_process_BC5CDR.summary(name, split, settings.negatives))
        for (_, path), split in zip(xml, splits):
            if not split.examples:
                raise InputError(f"{path} gives no example: there is nothing to learn from or to score.")
        train, dev, test = splits
        return reading.checked(reading.Corpus(folder, train, test, {}, dev, self.labels), documents_digest)

    def profile(self, corpus):
        """See Task."""
        return {name: counts(split) for name, split in corpus.splits().items()}

    def tell_profile(self, corpus, counted):
        """What the corpus holds, beside what is published of it."""
        say("")
        rows = [[what] + [f"{of[what]:,}" for of in counted.values()] for what in counted["train"]]
        say(scoring.format_table(["", *(TITLES[name] for name in counted)], rows))
        say("")
        other = [TITLES[name] for name, of in counted.items() if any(of[what] != count for what, count in PUBLISHED[name].items())]
        say("profile: " + (f"abstracts or relations are not as many as in BC5CDR as published: {', '.join(other)}" if other else
                           "as many abstracts and relations as in BC5CDR as published"))

    def table(self, settings):
        """See Task."""
        whole = settings.get("negatives") == "all"
        return predictions.AllPairPredictions if whole else predictions.PairPredictions

    def scores(self, corpus, log_probabilities, settings):
        """See Task."""
        found = cdr_scores.score(corpus.test, log_probabilities, settings.negatives)
        return found, cdr_scores.format_scores(found)

    def make_report(self, result, corpus, record, table, scores, head):
        """See Task."""
        return cdr_report.make_report(result, record, table, scores, head)


def counts(split):
    """What a data_process_BC5CDR.Split holds: {what: int}."""
    return {"abstracts": len(split.documents), "relations": sum(len(document.relations) for document in split.documents),
            "chemicals": sum(len(document.chemicals) for document in split.documents),
            "diseases": sum(len(document.diseases) for document in split.documents)}


def documents_digest(documents):
    """SHA-256, hexadecimal, of everything that examples are made of: list of data_process_BC5CDR.Document."""
    digest = Digest()
    for document in documents:
        digest.add(document.id, document.title, document.abstract)
        for table in (document.chemicals, document.diseases):
            digest.add(str(len(table)), *(part for item in table.items() for part in item))
        digest.add(str(len(document.relations)), *(part for pair in document.relations for part in pair))
    return digest.hexadecimal()


BC5CDR = BC5CDRTask()
