"""Where a mismatch becomes noise: legacy differs from itself in the same way.

    decide          what is known of one window, and what it says of a difference: noise, or not
    seen            the differences of one comparison, and what each is known by
    place_looks     outcomes of second looks at one place: settled, wavering, varied
    forms, text_forms, values, clocks
                    the form in which legacy varies at a place, learned from legacy asked twice
    list_changes    how a list moves on legacy: what may come and go, and what not
    day_clocks      numbers that are moments: days of Excel, Julian days, parts of a day
    legacy_forms    those forms by place, and the positions that each stands for
    form_fit        whether what new says lies within such a form
    repeats         requests that users made again: who moved on, and what stays with a request
    sketches        both sides of a place beside each other: do they vary alike
    marks           what is said of one difference, and what that makes of the pair

A comparison rule that a person wrote is another thing: what it covers is told in
`figway.compare`, before a difference ever gets here.
"""
