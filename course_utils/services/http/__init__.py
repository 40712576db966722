"""What every service has around its own routes: errors, limits, JSON, uploads, metrics, pages."""
