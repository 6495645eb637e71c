"""Recording a robot into a bag: topics, stills, writing thread, summary."""
