"""The views: what of a note the model reads for an example.

A view is one class in a module of its own. It decides everything that depends on what is read, and nothing else asks which
view there is. To add one, write its module, and put the class into VIEWS. What a view has, made from the settings:

    is_chosen(settings)                     whether the settings ask for this view (a static method)
    name, Features                          its name, and the class of its features
    fingerprint(documents, examples, tokenizer, labels)    digest of everything that the features depend on
    make(documents, examples, tokenizer, labels)    the features: named int32 arrays, a row for each example, with `rows` and `keys`
    read_of(example)                        what decides the model's input for an example: those with the same are computed once
    cache_bytes(documents, examples)        the most bytes that their cache takes
    training_order(features)                function of the epoch: the rows of each of its batches
    evaluation_order(features)              the rows of each evaluation batch
    batch(features, rows)                   what the model reads of some rows: named int32 arrays
    typical_batch(count, vocab_size)        a batch of random word pieces of the usual length, to measure with, of the first label
    long_length()                           the length of the longest batches, but for a few: what memory is needed for
    input_shapes()                          the shapes of a batch's arrays but `label_ids`, None where they vary
    pool(layer_outputs, convolved, inputs)  in the graph: what the classifier reads of each example
    about_distance()                        a sentence for the report: what it tells of how far apart two mentions are
"""
from inputs.around_mentions import AroundMentions
from inputs.head_of_note import HeadOfNote

VIEWS = (HeadOfNote, AroundMentions)


def view_of(settings):
    """The view that the settings ask for."""
    chosen, = (view for view in VIEWS if view.is_chosen(settings))
    return chosen(settings)
