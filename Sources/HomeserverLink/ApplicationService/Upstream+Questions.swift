import AsyncHTTPClient
import HTTPTypes
import NIOCore

extension Upstream: HomeserverAsking {
    /// Over the connections that everything else takes.
    public func ask(_ question: HomeserverQuestion) async throws(HomeserverTrouble) -> HomeserverAnswer {
        var call = Call(question.method, question.target)
        call.headers[.authorization] = "Bearer \(question.token)"
        if let body = question.body {
            call.headers[.contentType] = "application/json"
            call.body = .bytes(ByteBuffer(bytes: body))
        }
        do throws(UpstreamError) {
            let reply = try await send(call)
            return HomeserverAnswer(status: reply.status, body: try await reply.bytes(limit: question.answerLimitBytes))
        } catch {
            throw HomeserverTrouble(.unreachable, "no answer: \(error.code)")
        }
    }
}
