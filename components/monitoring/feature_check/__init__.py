"""Do training and serving get the same features?"""
