"""HiFi-GAN generators for many voices: reconstruction, then discriminators alone, then both."""
