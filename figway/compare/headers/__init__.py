"""Header fields in the form that is compared.

    not_compared   which fields are left out, and why: the list that pages and the manual show
    fields         the grammar that fields share: lists, parameters, quoted strings
    readers        what a field's value means, by name: two spellings of one meaning are equal

`figway.compare.head` compares with them; a part of a multipart body is read by the same ones.
Nothing is imported here.
"""
