#ifndef OPENMMFLOW_GLOO_DEVICE_H_
#define OPENMMFLOW_GLOO_DEVICE_H_

namespace gloo::transport {

class Device;
class UnboundBuffer;

}  // namespace gloo::transport

#endif /*OPENMMFLOW_GLOO_DEVICE_H_*/
