"""Are the features what they should be: equal offline and online, complete, fresh and steady?"""
