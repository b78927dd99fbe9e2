"""Accuracy and F1 of confusion matrices. Macro F1 is defined here alone: over the labels that are gold or predicted.

A label that is neither says nothing of a model. (scores.json, besides, has scikit-learn's report: see scoring.pair_scores.)

A confusion matrix is int [..., labels, labels], rows gold, columns predicted; any leading axes, of resamples say, are kept.
"""
import numpy as np


def confusion(gold, predicted, count):
    """Confusion matrix of two int [rows], each below `count`: int [count, count]."""
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (gold, predicted), 1)
    return matrix


def confusions(documents, gold, predicted, document_count, count):
    """Confusion matrix of each document: int [document_count, count, count].

    documents : int [rows], the document of each row; gold, predicted : int [rows], each below `count`.
    """
    matrices = np.zeros((document_count, count, count), int)
    np.add.at(matrices, (documents, gold, predicted), 1)
    return matrices


def accuracy(matrix):
    """Share of the cases on the diagonal: float [...]."""
    return ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def label_f1(matrix):
    """F1 of each label: float [..., labels]; 0 for a label that does not occur."""
    right = np.diagonal(matrix, axis1=-2, axis2=-1)
    return ratio(2 * right, matrix.sum(axis=-1) + matrix.sum(axis=-2))


def macro_f1(matrix):
    """Mean F1 of the labels that are gold or predicted anywhere in the matrix: float [...]; 0 where none is."""
    counted = occurring(matrix)
    return ratio((label_f1(matrix) * counted).sum(axis=-1), counted.sum(axis=-1))


def weighted_average(values, matrix):
    """Mean of values of labels, float [..., labels], weighted by how often each is gold: float [...]."""
    support = matrix.sum(axis=-1)
    return ratio((values * support).sum(axis=-1), support.sum(axis=-1))


def occurring(matrix):
    """Whether each label is gold or predicted anywhere: bool [..., labels]."""
    return matrix.sum(axis=-1) + matrix.sum(axis=-2) > 0


def ratio(numerator, denominator):
    """Quotient of two arrays; 0 where there are no cases, as in `scoring`."""
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
