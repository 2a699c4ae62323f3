"""Model calls that cost money: within the budget, entered in the ledger, kept in the journal.

In:  a generation and its request.
Out: the response, which is in the journal before it is used; an error if there is none.
How a request reaches a provider is the business of `daydream.llm`.
"""
