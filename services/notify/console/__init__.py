"""What a pharmacist looks at: pages made on the server, and one script that keeps them fresh."""
