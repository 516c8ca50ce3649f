"""What the commands do, without a word of how they are typed.

``session`` and ``databases`` put things together; ``start`` and ``run`` run batches, ``loading``
brings manifests in, ``plan`` reckons, ``batchsora.presentation`` says how things stand.
"""
