"""Who is told of what. One file a stage; pure, no database, no HTTP, no clock."""
