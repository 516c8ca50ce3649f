"""What the commands and the page do, without a word of how they are typed or clicked.

``start`` and ``run`` run batches, ``load`` brings manifests in, ``plan`` estimates. What they are
put together of is made by ``batchsora.composition``; ``batchsora.presentation`` has the texts.
"""
