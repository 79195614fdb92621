import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiError } from './api/client';
import { router } from './view/router';
import './view/theme.css';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // A second try helps where the server was restarting; what it refused it will refuse again.
      retry: (failures, error) =>
        failures < 1 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      retryDelay: 400,
      networkMode: 'always', // the server may well be on this machine, with no network at all
      staleTime: 5_000,
    },
  },
});

const place = document.getElementById('page');
if (place)
  createRoot(place).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
