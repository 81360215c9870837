"""What the bundle artifact holds: one step writes it, another publishes it."""

#: Folder of the files that devices get.
CONTENTS = "contents"
#: The manifest without what only the push knows.
DESCRIPTION = "description.json"
