"""python bench/peers … runs the driver; see driver.py."""
import driver

driver.main()
