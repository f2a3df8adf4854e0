import CUV

// What libuv calls for a stream: each finds the connection and calls one of its methods.

private func connection(of stream: UnsafeMutablePointer<uv_stream_t>) -> Connection {
    unsafe owner(
        of: UnsafeMutableRawPointer(stream).assumingMemoryBound(to: uv_handle_t.self), as: Connection.self)
}

/// SAFETY: `Loop.init` put the start of its read buffer, which lives as long as the loop, into the loop's `data`.
let allocateCallback: uv_alloc_cb = { handle, _, buffer in
    guard let handle = unsafe handle, let buffer = unsafe buffer else { return }
    unsafe buffer.pointee.base = handle.pointee.loop.pointee.data.assumingMemoryBound(to: CChar.self)
    unsafe buffer.pointee.len = LoopLimits.readBufferBytes
}

let readCallback: uv_read_cb = { stream, count, buffer in
    guard let stream = unsafe stream, let buffer = unsafe buffer else { return }
    unsafe connection(of: stream).read(
        count, UnsafeRawBufferPointer(start: buffer.pointee.base, count: max(count, 0)))
}

let writeCallback: uv_write_cb = { request, status in
    guard let request = unsafe request, let stream = unsafe request.pointee.handle else { return }
    let count = unsafe Int(bitPattern: request.pointee.data)
    unsafe UnsafeMutableRawPointer(request).deallocate()
    unsafe connection(of: stream).wrote(count, status: status)
}

let shutdownCallback: uv_shutdown_cb = { request, status in
    guard let request = unsafe request, let stream = unsafe request.pointee.handle else { return }
    unsafe request.deallocate()
    unsafe connection(of: stream).didShutDown(status: status)
}
