"""Is this machine fit for the course? These looks need nothing but Python, of any version from 3.8 on."""
