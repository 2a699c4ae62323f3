"""The store: what lies below `data/gens`, and what was recorded about it.

In:  the request and the response of a model call (`daydream.llm.request`).
Out: the paths of a generation's files, its journal of answers, the digests of what each of its
     texts was made of, and the choices of answers.
Knows where things are and how they are kept; what they mean is said above.
"""
