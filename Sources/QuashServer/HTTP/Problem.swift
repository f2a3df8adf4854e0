import QuashHTTP
import QuashJSON

/// What went wrong with an administrative request, as RFC 9457 problem details.
struct Problem: Error, Equatable {
    let status: HTTPStatus
    /// What was wrong, with which value, and what to do.
    let detail: String

    init(_ status: HTTPStatus, _ detail: String) {
        self.status = status
        self.detail = detail
    }

    /// RFC 9457 §3.1. The type is about:blank, so the title is that of the status.
    var json: JSONValue {
        [
            "type": "about:blank", "title": .string(status.reason.description), "status": .integer(Int64(status.code)),
            "detail": .string(detail),
        ]
    }
}
