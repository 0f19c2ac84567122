"""An HTTP front on loopback that keeps API Gateway's contracts for the APIs of a resolved template.

`apis()` reads them, `Front` serves them: one port an API, paths as on AWS. What is not emulated is named in
`Api.unsupported`; a route that would need it answers 501 with the name, so that nobody takes a lenient emulator
for a working API.
"""

from .api import Answer, Api
from .front import Front, PortError
from .template import apis

__all__ = ["Answer", "Api", "Front", "PortError", "apis"]
