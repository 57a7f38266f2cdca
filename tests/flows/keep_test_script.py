# Test script - save as test_redis_queue.py
import requests
import json
import time
import random

# Configuration
BASE_URL = "http://localhost:8000"
NUM_ALERTS = 1000
ALERT_TYPES = ["critical", "high", "medium", "low"]

# Generate and send test alerts
for i in range(NUM_ALERTS):
    # Create random alert data
    severity = random.choice(ALERT_TYPES)
    alert_data = {
        "title": f"Test Alert {i}",
        "severity": severity,
        "source": "test_script",
        "timestamp": time.time(),
        "description": f"This is test alert {i} with {severity} severity"
    }
    
    # Send to the alert endpoint
    response = requests.post(f"{BASE_URL}/api/alerts/event", json=alert_data)
    
    # Print status every 100 alerts
    if i % 100 == 0:
        print(f"Sent {i} alerts, last response: {response.status_code}")
    
    # Small delay to avoid overwhelming the server
    time.sleep(0.01)

# Check the queue status
response = requests.get(f"{BASE_URL}/api/admin/queue/health")
print("Queue Status:")
print(json.dumps(response.json(), indent=2))
