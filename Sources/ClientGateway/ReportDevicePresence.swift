import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime

// What a device says of itself. Seed: report per-device idle time, report per-device type.
extension ClientGateway {
    /// `PUT …/org.presenced/devices/{deviceId}/presence`: `{"idle_ms"?,"active"?:true,"type"?}` → 200 `{}`, on disk by
    /// then. Only the device whose token it is.
    func putDevicePresence(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateDevice(of: request)
        try putRate.take(for: key.user)
        let report = try DeviceReportBody.decode(try await body(of: request))
        try await perform(.deviceReported(key, report))
        return .emptyObject
    }

    /// `DELETE …/org.presenced/devices/{deviceId}/presence` → 200 `{}`: takes back the type and the idleness.
    func deleteDevicePresence(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticateDevice(of: request)
        try putRate.take(for: key.user)
        try await perform(.deviceReportWithdrawn(key))
        return .emptyObject
    }

    /// `GET …/org.presenced/devices/{deviceId}/presence` → 200
    /// `{"device_id","connected","listening","idle_ms"?,"last_active_ago"?,"type"?}`, any device of the caller; 404 for
    /// one that is neither connected nor has a type.
    func getDevicePresence(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let device = try? DeviceID(parsing: try request.capture(0))
        let (devices, now) = await runtime.read { engine, now in (engine.devices(of: key.user, at: now), now) }
        guard let view = devices.first(where: { $0.device == device }) else {
            throw MatrixErrorBody(.notFound, "The device is not connected and has no type.")
        }
        var writer = JSONWriter()
        write(view, at: now, to: &writer)
        return .json(writer.bytes)
    }

    /// `GET …/org.presenced/devices` → 200 `{"devices":[…]}`, in the order of their names.
    func getDevices(_ request: MatrixRequest) async throws(MatrixErrorBody) -> Answer {
        let key = try await authenticate(request)
        let (devices, now) = await runtime.read { engine, now in (engine.devices(of: key.user, at: now), now) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("devices")
        writer.beginArray()
        for view in devices { write(view, at: now, to: &writer) }
        writer.endArray()
        writer.endObject()
        return .json(writer.bytes)
    }

    private func authenticateDevice(of request: MatrixRequest) async throws(MatrixErrorBody) -> DeviceKey {
        let key = try await authenticate(request)
        guard try request.capture(0) == key.device.text else {
            throw MatrixErrorBody(.forbidden, "Can only report the device of this access token")
        }
        return key
    }

    private func write(_ view: PresenceEngine.DeviceView, at now: Instant, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("device_id")
        writer.string(view.device.text)
        writer.key("connected")
        writer.bool(view.isConnected)
        writer.key("listening")
        writer.bool(view.isListening)
        if let idleSince = view.idleSince {
            writer.key("idle_ms")
            writer.integer(max(0, now.milliseconds(since: idleSince)))
        }
        if let lastActive = view.lastActive {
            writer.key("last_active_ago")
            writer.integer(max(0, now.milliseconds(since: lastActive)))
        }
        if let type = view.type {
            writer.key("type")
            writer.string(type.text)
        }
        writer.endObject()
    }
}
