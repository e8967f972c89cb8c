"""Queries written elsewhere through the same cascade: ``python -m stages.verify --queries FILE.jsonl``, or ``--text``.

Each line of FILE is one JSON object:

    text            the referring expression
    sample_id       an ingested sample (masks): its targets as ``anchor_ids``, or as ``boxes`` that are matched to anchors
    image           or a picture in the folder ``--images`` (or ``width`` and ``height``), with ``modality``: its targets as
                    ``masks``, or as ``boxes`` alone. All that the file lists for the picture are its objects.
    boxes           [[x0, y0, x1, y1], ...] in pixels of the picture, half open; one box may stand without the outer list
    box_format      if they are written otherwise: one of ``formats.BOX_FORMATS``
    masks           [{"size": [height, width], "counts": COCO's compressed RLE} or a PNG file in ``--images``, ...]
    label           what the boxes or masks show, one name for all or a list; without it the one label that the text names
                    is taken, so that the text's own noun is then not checked (``assumed`` in the answer)
    anchor_ids, image_left_is ("patient_left" | "patient_right"), plane, spacing_mm [row, column], annotated_labels, id
                    may be left out

Without ``boxes``, ``masks`` and ``anchor_ids`` whatever satisfies the text is taken for its target, and a text that nothing
satisfies is rejected; with an empty list the text is said to be of something that is not there. Nothing that a text says
is executed.
"""
