import HTTPTypes
import HummingbirdCore
import MatrixWire
import NIOCore

/// What a route answers with.
public struct Answer: Sendable {
    /// Writes a streamed body, and returns when it is finished.
    public typealias Writing = @Sendable (inout any ResponseBodyWriter) async throws -> Void

    enum Body: Sendable {
        case empty
        case bytes(ByteBuffer)
        case written(Writing)
        case passedOn(Writing)
    }

    /// The HTTP status code.
    public var status: Int
    /// The header fields, without `Content-Length`: that follows from the body.
    public var headers: HTTPFields
    var body: Body

    /// A JSON document.
    public static func json(_ bytes: [UInt8], status: Int = 200) -> Answer {
        Answer(
            status: status, headers: [.contentType: "application/json"],
            body: .bytes(ByteBuffer(bytes: bytes)))
    }

    /// A text of another kind, such as `text/plain; charset=utf-8`.
    public static func text(_ bytes: [UInt8], contentType: String) -> Answer {
        Answer(status: 200, headers: [.contentType: contentType], body: .bytes(ByteBuffer(bytes: bytes)))
    }

    /// `{}`
    public static let emptyObject = Answer.json(Array("{}".utf8))

    /// A refusal in the standard form, with `Retry-After` where it says when to come again.
    public static func refusal(_ error: MatrixErrorBody) -> Answer {
        var answer = json(error.encode(), status: error.status)
        if let milliseconds = error.retryAfterMilliseconds {
            answer.headers[.retryAfter] = String((milliseconds + 999) / 1000)
        }
        return answer
    }

    /// No body.
    public static func empty(status: Int) -> Answer { Answer(status: status, headers: [:], body: .empty) }

    /// A body that is written as it comes about; `writing` ends it, and the connection is closed behind it.
    public static func streamed(contentType: String, _ writing: @escaping Writing) -> Answer {
        Answer(
            status: 200,
            headers: [.contentType: contentType, .cacheControl: "no-cache, no-store", .connection: "close"],
            body: .written(writing))
    }

    /// What another server answered, with its own header fields. `writing` writes the body as long as the fields say,
    /// none for a `HEAD`, and ends it; what it throws closes the connection, so that half a body is not taken for a
    /// whole one.
    public static func passedOn(status: Int, headers: HTTPFields, _ writing: @escaping Writing) -> Answer {
        Answer(status: status, headers: headers, body: .passedOn(writing))
    }

    /// Whether it is another server's, which says itself what browsers may do with it.
    var isPassedOn: Bool { if case .passedOn = body { true } else { false } }

    func response(toHead: Bool) -> Response {
        var fields = headers
        var responseBody = ResponseBody()
        switch body {
        case .empty:
            if status != 204 { fields[.contentLength] = "0" }
        case .bytes(let buffer):
            fields[.contentLength] = String(buffer.readableBytes)
            if !toHead { responseBody = ResponseBody(byteBuffer: buffer) }
        case .written(let writing):
            if !toHead { responseBody = ResponseBody(writing) }
        case .passedOn(let writing):
            responseBody = ResponseBody(writing)
        }
        return Response(status: .init(code: status), headers: fields, body: responseBody)
    }
}

extension MatrixErrorBody {
    /// No such path.
    public static let unknownPath = MatrixErrorBody(.unrecognized, "Unrecognized request")
    /// No token where one is needed.
    public static let noToken = MatrixErrorBody(.missingToken, "Missing access token")
    /// The engine took it and the disk did not; the row is kept in memory and tried again.
    public static let notStored = MatrixErrorBody(
        .unknown, "The change holds for now but could not be written to disk; try again.", status: 503)
    /// There is such a path, but not for this method.
    public static let unknownMethod = MatrixErrorBody(.unrecognized, "Unrecognized request", status: 405)
}
